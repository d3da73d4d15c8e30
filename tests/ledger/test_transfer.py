"""What a transfer may become: every state with every event."""

from itertools import product

import pytest

from gateway.ledger.errors import TransferEnded
from gateway.ledger.transfer import Event, State, after

ALLOWED = {
    (State.PENDING, Event.CAPTURE): State.POSTED,
    (State.PENDING, Event.VOID): State.VOIDED,
    (State.PENDING, Event.EXPIRE): State.EXPIRED,
}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_a_transfer_ends_once_and_only_from_pending(state: State, event: Event) -> None:
    if (state, event) in ALLOWED:
        assert after(state, event) is ALLOWED[state, event]
    else:
        with pytest.raises(TransferEnded) as refusal:
            after(state, event)
        assert (refusal.value.state, refusal.value.event) == (state.value, event.value)
