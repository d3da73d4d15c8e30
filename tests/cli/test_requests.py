"""requests: made, listed, paid once, declined and cancelled from the command line."""

from tests.running import Up


def test_a_request_is_made_listed_paid_once_and_others_are_declined_and_cancelled(up: Up) -> None:
    alice, bob = up.someone("alice_who_asks"), up.someone("bob_who_is_asked", EUR="100.00")
    made = up.json("requests", "create", bob, "12.50", "EUR", "--handle", alice, "--memo", "dinner", "--key", "once")
    again = up.json("requests", "create", bob, "12.50", "EUR", "--handle", alice, "--memo", "dinner", "--key", "once")
    assert (made["state"], again["id"]) == ("open", made["id"])
    listed = up.gateway("requests", "list", "--handle", bob, "--in").stdout
    assert "dinner" in listed
    assert up.gateway("requests", "list", "--handle", bob, "--out").stdout == "no requests\n"

    paid = up.gateway("requests", "pay", made["id"], "--from", bob)
    twice = up.gateway("requests", "pay", made["id"], "--from", bob)

    assert [one.returncode for one in (paid, twice)] == [0, 1]
    assert f"{bob} pays {alice} 12.50 EUR" in paid.stdout
    assert f"{made['id']} is paid: only an open request can be paid (request_not_open)" in twice.stderr
    assert up.available(bob, "EUR") == "87.50"
    for end, by in (("decline", bob), ("cancel", alice)):
        one = up.json("requests", "create", bob, "1.00", "EUR", "--handle", alice)
        ended = up.gateway("requests", end, one["id"], "--handle", by)
        assert ended.stdout == f"{one['id']} is {'declined' if end == 'decline' else 'cancelled'}\n"
    states = [one["state"] for one in up.json("requests", "list", "--handle", alice, "--counterparty", bob)["items"]]
    assert states == ["cancelled", "declined", "paid"]
