"""Find the payees of many requests at once. The number of statements does not depend on how many there are."""

from collections.abc import Sequence

from gateway.errors import GatewayError
from gateway.identity import wallet
from gateway.identity.wallet import Wallet
from gateway.payments.errors import SelfPayment, UnknownPayee
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.payees.resolver import WALLET_CLOSED, Name, Payee, read
from gateway.postgres.pool import Connection


async def find_payee(connection: Connection, settings: PaymentSettings, payer: Wallet, to: str) -> Payee:
    """The payee that `to` names. Raises UnknownPayee, and SelfPayment if it is the payer."""
    (found,) = await find_payees(connection, settings, [(payer, to)])
    if isinstance(found, GatewayError):
        raise found
    return found


async def find_payees(
    connection: Connection, settings: PaymentSettings, asked: Sequence[tuple[Wallet, str]]
) -> list[Payee | GatewayError]:
    """The payee that each payer's `to` names, in order: a payee, or UnknownPayee, or SelfPayment if it is the payer.
    Each resolver is called once, for all names that it recognizes.
    """
    names = [read(settings.payees, to) for _, to in asked]
    found = {
        resolver: await resolver.find(connection, settings.contracts, own)
        for resolver in settings.payees
        if (own := {one.name for one in names if isinstance(one, Name) and one.resolver is resolver})
    }
    wallets = {one.wallet.id for own in found.values() for one in own.values() if isinstance(one, Payee) and one.wallet}
    closed = await wallet.closed(connection, wallets)
    payees: list[Payee | GatewayError] = []
    for (payer, to), one in zip(asked, names, strict=True):
        payee = found[one.resolver][one.name] if isinstance(one, Name) else one
        if isinstance(payee, str):
            payees.append(UnknownPayee(to[:60], payee))
        elif isinstance(payee, Payee) and payee.wallet is not None and payee.wallet.id == payer.id:
            payees.append(SelfPayment(payer.handle))
        elif isinstance(payee, Payee) and payee.wallet is not None and payee.wallet.id in closed:
            payees.append(UnknownPayee(to[:60], WALLET_CLOSED))
        else:
            payees.append(payee)
    return payees
