"""The rails: one module for each, behind one protocol (payments/model/rail.py).

ledger.py    fiat, settled at once in the ledger
chain.py     tokens, by an EIP-3009 authorization that a relayer sends to the chain
hold.py      shared by both: payments whose money is held first
limits.py    shared by both: the limits that payments count against
"""

from typing import Final

from gateway.payments.model.rail import Rail
from gateway.payments.rails.chain import ChainRail
from gateway.payments.rails.ledger import LedgerRail

#: All rails, in the order in which they are tried for a quote.
RAILS: Final[tuple[Rail, ...]] = (LedgerRail(), ChainRail())
