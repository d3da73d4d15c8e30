"""notifications: what is listed and marked as seen, by the command line."""

import re

from tests.running import Up


def test_what_a_handle_was_told_is_listed_and_marked_as_seen(up: Up) -> None:
    """By a gateway that sends no e-mail."""
    alice, bob = up.someone("alice_of_notices", EUR="10.00"), up.someone("bob_of_notices")
    assert up.gateway("notifications", "list", "--handle", bob).stdout == "no notifications\n"
    for amount in ("1.00", "2.00"):
        up.gateway("pay", bob, amount, "EUR", "--from", alice)

    listed = up.json("notifications", "list", "--handle", bob, "--locale", "th")["items"]
    assert [one["title"] for one in listed] == [f"คุณได้รับ €{amount} จาก {alice}" for amount in ("2.00", "1.00")]
    assert [one["seen"] for one in listed] == [False, False]
    (only,) = up.json("notifications", "list", "--handle", bob, "--limit", "1")["items"]
    assert only["id"] == listed[0]["id"]
    lines = up.gateway("notifications", "list", "--handle", bob).stdout.splitlines()
    assert re.search(rf"  money_in  You received €2\.00 from {alice} .*{listed[0]['id']}$", lines[1])

    assert up.gateway("notifications", "seen", listed[1]["id"], "--handle", bob).stdout == "1 are not seen\n"
    assert [one["seen"] for one in up.json("notifications", "list", "--handle", bob)["items"]] == [False, True]
    refused = up.gateway("notifications", "add", "bob@example.com", "--handle", bob)
    assert (refused.returncode, "sends nothing by 'email'" in refused.stderr) == (1, True)
