"""Draw by a mandate: its payee takes a payment from the wallet that granted it."""

from datetime import datetime
from uuid import UUID

from gateway.errors import Forbidden
from gateway.identity import wallet
from gateway.identity.credential import Credential
from gateway.identity.wallet import Wallet
from gateway.payments import pay
from gateway.payments.checks import mandate
from gateway.payments.model.note import Note
from gateway.payments.model.payment import Payment
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection


async def draw(
    connection: Connection,
    settings: PaymentSettings,
    holder: Wallet,
    id: UUID,
    money: str,
    memo: str | None,
    now: datetime,
    note: Note | None = None,
) -> Payment:
    """Pay the mandate's payee (the holder) this amount of its asset, from the wallet that granted it.

    The mandate's limits are a check (checks/mandate.py), which locks its row. Raises NotFound (no
    such mandate), Forbidden (the holder granted it), InvalidAmount, AmountTooPrecise, and what `pay` raises, such as
    MandateExceeded, StateConflict (revoked or expired) and GrantNotApproved.
    """
    found = await mandate.one(connection, settings.assets, id, holder.id)
    if found.payee != holder.id:
        raise Forbidden("only the payee of a mandate draws by it; to pay them yourself, make a payment")
    payer = await wallet.by_id(connection, found.payer)
    by = Credential("mandate", found.id, payer, frozenset({"pay"}), approved=found.approved)
    asked = found.period.asset.parse_positive(money)
    request = pay.PayRequest(f"@{holder.handle}", asked, memo, by=by, note=note)
    return await pay.pay(connection, settings, payer, request, now)
