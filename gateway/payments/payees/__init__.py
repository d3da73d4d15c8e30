"""Payees: resolves the `to` of a request to a wallet or an address.

There are several ways to name a payee. Each is a `PayeeResolver` in a module of its own; those that a gateway knows are
in `PaymentSettings.payees`, in order, and the first that recognizes a text resolves it. So a new way is a new module
and one line in `RESOLVERS`.

The fast paths of both rails (plain.py) pay a handle in its stored spelling without asking a resolver, unless it begins
with `0x`. No other resolver may recognize such a text.

    resolver.py    the protocol
    lookup.py      find the payees of many requests at once
    handle.py      @alice
    address.py     0x and 40 hex digits
    unpayable.py   addresses that cannot be paid
"""

from typing import Final

from gateway.payments.payees.address import AddressResolver
from gateway.payments.payees.handle import HandleResolver
from gateway.payments.payees.resolver import PayeeResolver

#: In the order in which they are tried. Handles are last: any text that no other resolver recognizes is read as a
#: handle.
RESOLVERS: Final[tuple[PayeeResolver, ...]] = (AddressResolver(), HandleResolver())
