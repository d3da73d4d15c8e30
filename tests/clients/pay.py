"""Pays and reads the payment again, with the client that openapi-python-client made of /openapi.json.

Arguments: the folder of the generated client, the gateway's address, an API key, the payee. Standard output: JSON.
"""

import json
import sys
from uuid import uuid4

folder, url, api_key, to = sys.argv[1:]
sys.path.insert(0, folder)

from wallet_gateway_client import AuthenticatedClient  # noqa: E402
from wallet_gateway_client.api.payments import get_payment, list_payments, pay  # noqa: E402
from wallet_gateway_client.models import Payment, PaymentRequest, PaymentState, Problem, ProblemCode  # noqa: E402

client = AuthenticatedClient(base_url=url, token=api_key)

body = PaymentRequest(to=to, amount="12.50", asset="EUR", memo="lunch")
paid = pay.sync(client=client, body=body, idempotency_key=uuid4().hex)
assert isinstance(paid, Payment)
again = get_payment.sync(paid.id, client=client)
assert isinstance(again, Payment)
assert again.state is PaymentState.SETTLED
page = list_payments.sync(client=client, state=PaymentState.SETTLED, limit=1)
refused = pay.sync(
    client=client, body=PaymentRequest(to=to, amount="90000.00", asset="EUR"), idempotency_key=uuid4().hex
)
assert isinstance(refused, Problem)
assert refused.code is ProblemCode.INSUFFICIENT_FUNDS
print(
    json.dumps(
        {
            "paid": paid.to_dict(),
            "again": again.to_dict(),
            "listed": [one.id for one in page.items],
            "refused": refused.to_dict(),
        }
    )
)
