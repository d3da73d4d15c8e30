"""Histograms against a model that counts anew each time."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.metrics.histogram import Histogram

BOUNDS = (1.0, 2.0, 4.0)


@given(st.lists(st.floats(0, 8)))
def test_each_bucket_has_what_is_up_to_its_bound(values: list[float]) -> None:
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.observe(value)

    expected = [(str(bound), sum(value <= bound for value in values)) for bound in BOUNDS]
    assert list(histogram.buckets()) == [*expected, ("+Inf", len(values))]
    assert histogram.count == len(values)
    assert abs(histogram.sum - sum(values)) < 1e-9
