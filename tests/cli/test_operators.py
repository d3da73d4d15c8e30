"""operators: made and revoked at the machine, and what one person does there alone."""

from tests.running import Up


def test_an_operator_is_added_shown_and_revoked_and_the_code_is_shown_once(up: Up) -> None:
    added = up.json("operators", "add", "ann_of_the_command", "--role", "support")
    shown = up.gateway("operators")
    given = up.gateway("operators", "role", "ann_of_the_command", "finance")
    after = up.gateway("operators")
    revoked, again = (up.gateway("operators", "revoke", "ann_of_the_command") for _ in range(2))
    wrong = up.gateway("operators", "add", "Ann", "--role", "support")
    audit_events = up.json("audit", "list", "--kind", "operator")["items"]

    assert added["code"].startswith("go_")
    assert "ann_of_the_command support not enrolled yet" in " ".join(shown.stdout.split())
    assert given.stdout == "ann_of_the_command has the role finance from now on\n"
    assert "ann_of_the_command finance not enrolled yet" in " ".join(after.stdout.split())
    assert added["code"] not in shown.stdout + str(audit_events)
    assert (revoked.returncode, again.returncode, wrong.returncode) == (0, 1, 1)
    assert "ann_of_the_command finance revoked" in " ".join(up.gateway("operators").stdout.split())
    assert [one["kind"] for one in audit_events if one["details"].get("operator") == "ann_of_the_command"] == [
        *("operator.revoked", "operator.role_changed", "operator.added")
    ]


def test_break_glass_freezes_and_unfreezes_a_wallet_and_is_written_down(up: Up) -> None:
    carol = up.someone("carol_of_the_glass")

    frozen = up.gateway("operators", "break-glass", "wallet.freeze", carol, "--reason", "she asked for it")
    unfrozen = up.gateway("operators", "break-glass", "wallet.unfreeze", carol, "--reason", "she is here")
    twice = up.gateway("operators", "break-glass", "wallet.unfreeze", carol, "--reason", "again")

    assert (frozen.returncode, unfrozen.returncode, twice.returncode) == (0, 0, 1)
    assert "break-glass: wallet.freeze of @carol_of_the_glass by " in frozen.stderr
    kinds = [one["kind"] for one in up.json("audit", "list", "--handle", carol)["items"]]
    assert kinds[:4] == ["wallet.unfrozen", "operator.break_glass", "wallet.frozen", "operator.break_glass"]
