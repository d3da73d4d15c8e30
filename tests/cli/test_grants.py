"""api-keys and mandates: made, listed, used and ended from the command line."""

from gateway.api.identity.shapes import KeyView
from gateway.api.payments.shapes import MandateView
from gateway.cli.wallet.grants import keys_lines, mandates_lines
from tests.running import Up, levelled


def with_key(up: Up, handle: str, api_key: str) -> str:
    """A home in which this is the handle's key."""
    home = up.folder / f"home-of-{handle}"
    (home / "keys").mkdir(parents=True, exist_ok=True)
    (home / "keys" / handle).write_text(api_key + "\n")
    return str(home)


def test_a_key_for_a_program_does_what_it_may_until_it_is_revoked(up: Up) -> None:
    shop = up.someone("shop_of_keys", EUR="100.00")
    bob = up.someone("bob_of_keys")
    made = up.json(
        *("api-keys", "create", "Web shop", "--handle", shop, "--scope", "read", "--scope", "pay"),
        *("--cap", "EUR:5.00:8.00"),
        "--cap",
        "EUR:5.00:8.00",
    )
    home = with_key(up, "shop_of_keys", made["api_key"])
    at = ("--url", up.place("api_url"))

    paid = up.gateway("pay", bob, "5.00", "EUR", "--from", shop, *at, GATEWAY_HOME=home)
    over = up.gateway("pay", bob, "5.00", "EUR", "--from", shop, *at, GATEWAY_HOME=home)
    listed = up.gateway("api-keys", "list", "--handle", shop)
    more = up.gateway("api-keys", "create", "More", "--handle", shop, "--scope", "pay", *at, GATEWAY_HOME=home)
    ended = up.gateway("api-keys", "revoke", made["id"], "--handle", shop)
    after = up.gateway("balance", shop, *at, GATEWAY_HOME=home)

    assert (paid.returncode, over.returncode, more.returncode, ended.returncode, after.returncode) == (0, 1, 1, 0, 1)
    assert "3.00" in over.stderr
    assert "Web shop  pay read  EUR: 5.00 at once, 8.00 a day" in levelled(listed.stdout)
    assert made["api_key"] not in listed.stdout + str(up.json("api-keys", "list", "--handle", shop))
    assert f"{made['id']}, Web shop, is revoked" in ended.stdout


def test_a_key_is_replaced_by_one_that_may_do_the_same(up: Up) -> None:
    shop = up.someone("shop_of_others")
    old = up.json("api-keys", "create", "Till", "--handle", shop, "--scope", "read")
    new = up.json("api-keys", "replace", old["id"], "--handle", shop, "--overlap", "0")
    at = ("--url", up.place("api_url"))

    statuses = [
        up.gateway("balance", shop, *at, GATEWAY_HOME=with_key(up, "shop_of_others", one["api_key"])).returncode
        for one in (old, new)
    ]

    assert statuses == [1, 0]
    assert (new["name"], new["scopes"]) == ("Till", ["read"])


def test_a_cap_that_is_none_is_said_to_be(up: Up) -> None:
    shop = up.someone("shop_of_nothing")
    for cap in ("EUR", "EUR::", ":5.00:", "EUR:1:2:3", ""):
        refused = up.gateway("api-keys", "create", "X", "--handle", shop, "--scope", "pay", "--cap", cap)
        assert (refused.returncode, "write ASSET:PAYMENT:DAY" in refused.stderr) == (1, True), cap
    only_a_day = up.json("api-keys", "create", "X", "--handle", shop, "--scope", "pay", "--cap", "EUR::9.00")
    assert [(one["payment"], one["day"]) for one in only_a_day["caps"]] == [(None, "9.00")]


def test_a_mandate_is_granted_drawn_by_once_for_its_key_and_revoked(up: Up) -> None:
    alice, shop = up.someone("alice_of_mandates", EUR="100.00"), up.someone("shop_of_mandates", EUR="1.00")
    granted = up.json(
        "mandates", "grant", shop, "20.00", "EUR", "--handle", alice, "--days", "7", "--per-draw", "15.00"
    )

    drawn = [up.gateway("mandates", "draw", granted["id"], "15.00", "--to", shop, "--key", "once") for _ in range(2)]
    over = up.gateway("mandates", "draw", granted["id"], "5.01", "--to", shop)
    listed = up.gateway("mandates", "list", "--handle", alice).stdout
    ended = up.gateway("mandates", "revoke", granted["id"], "--handle", alice)
    after = up.gateway("mandates", "draw", granted["id"], "1.00", "--to", shop)

    assert [one.returncode for one in (*drawn, over, ended, after)] == [0, 0, 1, 0, 1]
    assert (up.available(alice, "EUR"), up.available(shop, "EUR")) == ("85.00", "16.00")
    assert "20.00 EUR in 7 days" in listed
    assert "15.00 at once" in listed
    assert f"{shop} draws nothing from {alice} any more" in ended.stdout


def test_a_list_says_what_waits_for_its_owner() -> None:
    at = "2030-01-31T12:00:00.000000Z"
    for waits in (True, False):
        key = KeyView("key_1", "Till", ["pay"], [], [], at, None, None, False, waits)
        mandate = MandateView("mdt_1", "@a", "@b", "EUR", None, None, "1.00", 7, None, at, None, None, waits)
        for id, lines in (("key_1", keys_lines([key])), ("mdt_1", mandates_lines([mandate]))):
            (line,) = [one for one in lines if id in one]
            assert ("waits for its owner's approval" in line) is waits
