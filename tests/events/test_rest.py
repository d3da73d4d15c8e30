"""How long readers of the log rest: longer where reading takes longer, and within bounds."""

from gateway.events.wake import rest


def test_a_reader_rests_ten_times_as_long_as_it_read_and_an_event_waits_for_a_quarter_of_a_second_at_most() -> None:
    assert [rest(took) for took in (0.0, 0.01, 0.02, 10.0)] == [0.1, 0.1, 0.2, 0.25]


def test_one_that_may_be_later_rests_longer_where_reading_takes_longer() -> None:
    assert [rest(took, 0.5) for took in (0.0, 0.02, 0.04, 10.0)] == [0.1, 0.2, 0.4, 0.5]
