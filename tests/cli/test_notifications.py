"""notifications: an address that is confirmed by mail, what is sent to it, and what is listed, by the command line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from anyio.from_thread import start_blocking_portal

from tests.notifications.mail_server import Mail, serving
from tests.processes import HANG_SECONDS
from tests.running import Up, levelled, running_up


class Box(list[Mail]):
    """What a mail server has taken, in another thread."""

    def __init__(self) -> None:
        self.came: SimpleQueue[Mail] = SimpleQueue()

    def append(self, mail: Mail) -> None:
        self.came.put(mail)

    def next(self, subject: str) -> Mail:
        """The next mail with this in its subject. Those before it are passed over."""
        while not re.search(subject, (mail := self.came.get(timeout=HANG_SECONDS)).subject):
            pass
        return mail


@contextmanager
def sending() -> Iterator[tuple[Up, Box]]:
    """A running `up` that sends e-mail, and what it has sent."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving()) as mails:
        mails.mails = box = Box()
        settings = {"GATEWAY_SMTP_URL": f"smtp+plain://127.0.0.1:{mails.port}"}
        with running_up(**settings, GATEWAY_EMAIL_FROM="Example Pay <no-reply@pay.example>") as up:
            yield up, box


def modes(settings: Any, channel: str) -> dict[str, str]:
    return {one["kind"]: one["modes"][channel] for one in settings["kinds"]}


def test_an_address_is_confirmed_told_in_its_language_and_removed() -> None:
    with sending() as (up, box):
        alice, bob = up.someone("alice_of_mail", EUR="10.00"), up.someone("bob_of_mail")
        of = ("--handle", bob)
        added = up.gateway("notifications", "add", "bob@example.com", *of, "--time-zone", "Asia/Bangkok")
        assert "email  b…@example.com  pending  en  Asia/Bangkok" in levelled(added.stdout)
        (id,) = re.findall(r"nad_\w+", added.stdout)
        assert f"gateway notifications confirm {id} CODE --handle {bob}" in added.stderr
        (code,) = re.findall(r"[0-9]{6}", box.next("[0-9]{6}").subject)
        wrong = up.gateway("notifications", "confirm", id, f"{(int(code) + 1) % 10**6:06}", *of)
        assert (wrong.returncode, "(invalid_code)" in wrong.stderr) == (1, True)
        assert "confirmed" in up.gateway("notifications", "confirm", id, code, *of).stdout

        up.gateway("pay", bob, "1.00", "EUR", "--from", alice)
        assert box.next("€1.00").to == ["bob@example.com"]
        assert "th  Asia/Bangkok" in levelled(up.gateway("notifications", "locale", "th", "Asia/Bangkok", *of).stdout)
        up.gateway("pay", bob, "2.00", "EUR", "--from", alice)
        assert box.next(r"€2\.00").subject == f"คุณได้รับ €2.00 จาก {alice}"

        changed = up.json("notifications", "set", "money_in", "email", "off", *of)
        changed = up.json("notifications", "set", "bank_movement", "email", "fallback", *of)
        usual = dict.fromkeys(modes(changed, "email"), "on")
        assert modes(changed, "email") == usual | {"money_in": "off", "bank_movement": "fallback"}
        assert up.json("notifications", "settings", *of) == changed
        assert re.search(r"^money_in +off +on ", up.gateway("notifications", "settings", *of).stdout, re.MULTILINE)
        silent = up.gateway("notifications", "set", "new_key", "email", "off", *of)
        assert (silent.returncode, "guard the wallet" in silent.stderr) == (1, True)

        removed = up.gateway("notifications", "remove", id, *of)
        assert removed.stdout == f"{id}, b…@example.com, is removed\n"
        assert up.gateway("notifications", "addresses", *of).stdout == "no addresses\n"


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
