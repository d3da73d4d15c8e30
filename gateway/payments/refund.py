"""Give back all or part of a settled payment, as a payment of its own."""

from datetime import datetime

from gateway.access.credential import Credential
from gateway.errors import Forbidden, RefundExceedsPayment, StateConflict
from gateway.ids import PaymentId, show
from gateway.money import Money
from gateway.payments import pay, records
from gateway.payments.note import Note
from gateway.payments.payees.resolver import Payee
from gateway.payments.payment import Payment, State
from gateway.payments.terms import Terms
from gateway.postgres import Connection
from gateway.wallets import wallet
from gateway.wallets.wallet import Wallet


async def refund(
    connection: Connection,
    terms: Terms,
    caller: Wallet,
    id: PaymentId,
    money: Money | None,
    now: datetime,
    by: Credential | None = None,
    note: Note | None = None,
) -> Payment:
    """The payee of the first payment pays `money` of it back, or all that is left. It goes by the same rail, and has a
    note of its own (note.py).

    However many refunds run at once, together they never exceed what was paid: the first payment's row is locked
    before what is left is read, and one that is on its way counts already (records.py).

    Raises NotFound, Forbidden (the payer asks), StateConflict (not settled), RefundExceedsPayment, InsufficientFunds.
    """
    first = await records.payment_for_update(connection, terms.assets, id, caller.id)
    if first.payee != caller.id:
        raise Forbidden("only the payee of a payment can refund it")
    if first.state is not State.SETTLED:
        raise StateConflict(show("pay", first.id), first.state.value, "refund")
    left = first.captured - first.refunded
    money = money or left
    if money > left or money.units == 0:
        raise RefundExceedsPayment(asked=money, left=left)

    payer = await wallet.by_handle(connection, first.payer_handle)
    request = pay.PayRequest(to=f"@{payer.handle}", money=money, memo=first.memo, by=by, note=note)
    return await pay.start(connection, terms, caller, Payee(payer, payer.address), request, now, refund_of=first.id)
