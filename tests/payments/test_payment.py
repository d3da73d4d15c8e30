"""What a payment may become: every state with every event."""

from itertools import product

import pytest

from gateway.errors import StateConflict
from gateway.ids import PaymentId, new_id, show
from gateway.payments.model.payment import Event, State, after
from tests.factory import NOW

ALLOWED = {
    (State.REQUIRES_CONFIRMATION, Event.CONFIRM): State.HELD,
    (State.REQUIRES_CONFIRMATION, Event.DECLINE): State.DECLINED,
    (State.REQUIRES_CONFIRMATION, Event.EXPIRE): State.EXPIRED,
    (State.REQUIRES_CONFIRMATION, Event.SIGN): State.QUEUED,
    (State.REQUIRES_CONFIRMATION, Event.SETTLE): State.SETTLED,
    (State.REQUIRES_CONFIRMATION, Event.FAIL): State.FAILED,
    (State.HELD, Event.SETTLE): State.SETTLED,
    (State.HELD, Event.QUEUE): State.QUEUED,
    (State.HELD, Event.VOID): State.VOIDED,
    (State.HELD, Event.EXPIRE): State.EXPIRED,
    (State.QUEUED, Event.SUBMIT): State.SUBMITTED,
    (State.QUEUED, Event.SETTLE): State.SETTLED,
    (State.QUEUED, Event.FAIL): State.FAILED,
    (State.SUBMITTED, Event.SETTLE): State.SETTLED,
    (State.SUBMITTED, Event.FAIL): State.FAILED,
}
ID = PaymentId(new_id(NOW))


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_a_payment_goes_only_where_its_drawing_says(state: State, event: Event) -> None:
    if (state, event) in ALLOWED:
        assert after(ID, state, event) is ALLOWED[state, event]
    else:
        with pytest.raises(StateConflict) as refusal:
            after(ID, state, event)
        assert refusal.value.id == show("pay", ID)


@pytest.mark.parametrize("state", [State.SETTLED, State.FAILED, State.VOIDED, State.EXPIRED, State.DECLINED])
def test_a_payment_that_has_ended_stays_as_it_is(state: State) -> None:
    for event in Event:
        with pytest.raises(StateConflict):
            after(ID, state, event)
