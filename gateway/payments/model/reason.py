"""Why a payment needs its payer's approval. checks/policy.py says what each means and decides which apply."""

from typing import Literal

Reason = Literal["amount", "day", "new_payee", "address", "changed_payee", "new_device", "before_passkey"]
