"""The states of a request for money, in a module that imports nothing: API clients use them too. How they are derived
is in schema/07_requests.sql (`request_state`).
"""

from typing import Final, Literal, get_args

#: open: it can be paid, declined and cancelled. pending: a payment of it waits for an approval or a signature, or is on
#: its way; if that ends without paying, the request is open again. paid, declined, cancelled, expired: final states.
RequestState = Literal["open", "pending", "paid", "declined", "cancelled", "expired"]
STATES: Final[tuple[RequestState, ...]] = get_args(RequestState)
