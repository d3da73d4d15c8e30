"""Groups of payments asked for at once, and the same asked for one by one in a second world.

A street is people with money, keys, limits and a passkey, made once; both worlds are copies of its database. A group is
drawn from a seed, asked of the first world at once, so that its payments share commits, and of the second one by one,
in an order that explains what the first has answered:

  - what was accepted, in the order of its events; where a payroll was paid, in that of the statements' numbers too,
    since it writes its events before it locks accounts;
  - what was refused, or answered again from its key, at a moment at which a small model of the street expects that
    answer. It changed nothing, so any such moment is right; where there is none, no order explains the answer.

Then both worlds say the same of everything but ids and times. Nothing here knows how payments are accepted: everything
is asked over the application's own HTTP interface.
"""

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from litestar import Litestar

from gateway.identity.rate_limits import Limits, Rate, Rates
from gateway.ids import number_of, read
from gateway.ledger import ledger
from gateway.money import Asset, Assets
from gateway.postgres.pool import connect
from tests.api.browser import OWN, browsing
from tests.api.conftest import Api, Person, opened
from tests.api.test_approvals import approve, waiting
from tests.api.test_keys import made
from tests.api.test_mandates import granted
from tests.applications import application
from tests.front import Front, is_fast

#: A currency that was taken out of the settings: what there is of it is still paid.
CLOSED = Asset("HRK", "fiat", 2)

#: People who pay each other, and those who are only paid: the shop by most.
PAYERS = ("ann", "ben", "cyd", "dee", "poor")
PAID_ONLY = ("sue", "sid")
NEWCOMERS = tuple(f"new{n}" for n in range(6))  #: Nobody has paid them yet: their accounts are not open.
EVERYBODY = (*PAYERS, "shop", *PAID_ONLY, *NEWCOMERS, "pat", "fred", "grace")

#: What the gateway takes of a payment, in basis points.
FEES = (0, 37)

#: After so many groups it is looked at what everybody has.
LOOK_EVERY = 5

#: Refusals for which no key is looked up.
_BEFORE_THE_KEY = {"unauthenticated", "forbidden", "invalid_amount", "amount_too_precise"}

_ID, _TIME = re.compile(r"pay_[0-9a-z]{26}"), re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


# ---- what is asked and answered -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One request. `path` names an earlier payment by its label, since each world has ids of its own."""

    label: str
    kind: str
    who: str
    credential: tuple[bytes, bytes]
    key: str
    path: str
    body: Any
    of: str = ""  #: The earlier payment that `path` names as {}.
    limit: str = ""  #: The key's cap or the mandate that it counts against.


@dataclass(frozen=True)
class Answer:
    status: int
    replayed: bool
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal; nothing where it is none."""
        return "" if self.status < 300 else str(self.said["code"])

    @property
    def is_new(self) -> bool:
        """Whether something was done for it."""
        return self.status < 300 and not self.replayed


@dataclass(frozen=True)
class Gateway:
    """An application, and its server's way in for payments."""

    app: Litestar
    front: Front


async def ask(gateway: Gateway, method: str, path: str, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Answer:
    """Ask the application as its server does. Its first step is done when this is first waited for, and that of what
    is answered before it when all that were begun together have a connection, so they are in one group together.
    """
    headers = [(b"host", b"localhost:8000"), *headers]
    if is_fast(method, path.encode()):
        paid = await gateway.front.pay(headers, body, path.encode())
        return Answer(paid.status, paid.header("idempotency-replayed") is not None, paid.body)
    done = asyncio.Event()
    parts = [{"type": "http.request", "body": body, "more_body": False}]
    said: list[Any] = []

    async def receive() -> Any:
        if parts:
            return parts.pop()
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message)

    path, _, query = path.partition("?")
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 5000),
        "server": ("localhost", 8000),
        "state": {},
        "extensions": {},
    }
    await gateway.app(scope, receive, send)
    done.set()
    names = {name for name, _ in said[0]["headers"]}
    return Answer(said[0]["status"], b"idempotency-replayed" in names, b"".join(m.get("body", b"") for m in said[1:]))


@dataclass
class World:
    """One copy of the street. `labels` say which request each of its payments is of."""

    api: Api
    street: "Street"
    apps: dict[int, Gateway]
    ids: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)  #: Where to read events on, by handle.

    async def answer(self, asked: Asked, fee: int) -> Answer:
        headers = [asked.credential, (b"idempotency-key", asked.key.encode()), (b"content-type", b"application/json")]
        if asked.credential[0] == b"cookie":
            headers += [(name.lower().encode(), value.encode()) for name, value in OWN.items()]
        path = asked.path.format(self.ids.get(asked.of, "pay_00000000000000000000000000"))
        return await ask(self.apps[fee], "POST", path, headers, json.dumps(asked.body).encode())

    async def get(self, who: str, path: str) -> Any:
        answer = await ask(self.apps[0], "GET", path, [self.street.keys[who]], b"")
        assert answer.status == 200, answer
        return answer.said

    def learn(self, asked: Asked, answer: Answer) -> None:
        """Which payments the answer has made."""
        if not answer.is_new:
            return
        said = answer.said
        made = [(asked.label, said)] if isinstance(said, dict) else _lines(asked, said)
        for label, one in made:
            if one["id"] not in self.labels:
                self.labels[one["id"]], self.ids[label] = label, one["id"]

    def plain(self, text: str) -> str:
        """What was said, in words that both worlds have in common."""
        return _TIME.sub("a time", _ID.sub(lambda found: self.labels.get(found[0], "another payment"), text))

    async def news(self) -> dict[str, list[Any]]:
        """The events of each since they were last read."""

        async def of(who: str) -> list[Any]:
            items: list[Any] = []
            while True:
                page = await self.get(who, f"/v1/events?limit=200{self.seen.get(who, '')}")
                items += page["items"]
                if page["next_cursor"] is not None:
                    self.seen[who] = f"&after={page['next_cursor']}"
                if not page["has_more"]:
                    return items

        return dict(zip(EVERYBODY, await asyncio.gather(*map(of, EVERYBODY)), strict=True))

    async def wallets(self) -> dict[str, dict[str, Any]]:
        """Each one's balances by asset."""
        found = await asyncio.gather(*(self.get(who, "/v1/wallet") for who in EVERYBODY))
        return {who: {one["asset"]: one for one in of["balances"]} for who, of in zip(EVERYBODY, found, strict=True)}

    async def pages(self, who: str, path: str) -> list[Any]:
        """A whole list."""
        items: list[Any] = []
        cursor = ""
        while True:
            page = await self.get(who, f"{path}limit=200{cursor}")
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = f"&cursor={page['next_cursor']}"

    async def everything(self) -> dict[str, Any]:
        """All that anybody can see: balances, statements and payments, in common words."""
        wallets = await self.wallets()
        said: dict[str, Any] = {}
        for who in EVERYBODY:
            lists = {"payments": "/v1/payments?"} | {
                asset: f"/v1/entries?asset={asset}&" for asset in wallets[who] if asset != "USDX"
            }
            for name, path in lists.items():
                listed = [self.plain(json.dumps(one)) for one in await self.pages(who, path)]
                # Payments of one moment are in no order that anybody is told of.
                said[f"{who}: {name}"] = sorted(listed) if name == "payments" else listed
            said[f"{who}: wallet"] = wallets[who]
        return said


# ---- the street -----------------------------------------------------------------------------------------------------


@dataclass
class Street:
    """The people, by what they show; what their keys and mandates leave them is the model's to know."""

    keys: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    bad: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    capped: dict[str, "Capped"] = field(default_factory=dict)
    session: tuple[bytes, bytes] = (b"", b"")
    mandate: str = ""


@dataclass
class Capped:
    """A key with a cap, or a mandate: whose, what for, the most at once, and what is left of its period."""

    who: str
    credential: tuple[bytes, bytes]
    asset: str
    once: Decimal
    left: Decimal


def bearer(api_key: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {api_key}".encode()


async def settle_in(api: Api) -> Street:
    """Give everybody what they have when the story begins."""
    street, people = Street(), dict[str, Person]()
    for who in ("ann", "ben", "cyd", "dee"):
        people[who] = await api.person(who, "60.00 EUR", "4000 JPY", "30 USDX")
    people["poor"] = await api.person("poor", "4.00 EUR", "2 USDX")
    people["shop"] = await api.person("shop", "20.00 EUR", "500 JPY", "5.00 HRK")
    for who in PAID_ONLY:
        people[who] = await api.person(who, "1.00 EUR", "1 JPY")
    for who in NEWCOMERS:
        people[who] = await api.person(who)
    people["pat"] = await api.person("pat", "60.00 EUR")
    ann = people["ann"]
    await ann.receive("9.00 HRK")

    fred = people["fred"] = await api.person("fred", "50.00 EUR")
    paid = (await fred.pay("@shop", "1.00 EUR")).json()
    assert (await fred.post(f"/v1/payments/{paid['id']}/report-unauthorized", b"")).status_code == 200

    people["grace"], passkey, browser = await browsing(api, "grace", "900.00 EUR", "50 USDX")
    await approve(people["grace"], passkey, await waiting(people["grace"], "@shop", "1.00 EUR"))
    street.session = (b"cookie", browser.cookie.encode())

    for who, asset, once, day in (
        *(("ann", "EUR", "2.50", "12.00"), ("ben", "EUR", "1.00", "40.00"), ("cyd", "USDX", "2.00", "9.00")),
        *(("dee", "EUR", "3.00", "9.00"), ("poor", "EUR", "1.00", "6.00")),
    ):
        _, key = await made(people[who], caps=[{"asset": asset, "payment": once, "day": day}])
        street.capped[f"{who}'s till"] = Capped(who, bearer(key), asset, Decimal(once), Decimal(day))
    street.mandate = await granted(ann, period="10.00", draw="3.00")
    street.capped["the mandate"] = Capped("ann", bearer(people["shop"].api_key), "EUR", Decimal(3), Decimal(10))

    id, revoked = await made(people["ben"])
    await api.call("DELETE", f"/v1/keys/{id}", headers=people["ben"].bearer)
    _, expired = await made(people["cyd"], expires_in=60)
    _, reader = await made(people["dee"], scopes=["read"])
    street.bad = {
        "a revoked key": bearer(revoked),
        "an expired key": bearer(expired),
        "a key that reads": bearer(reader),
        "no such key": bearer("gw_" + "0" * 40),
    }
    street.keys = {who: bearer(person.api_key) for who, person in people.items()}
    return street


def known(api: Api, street: Street, who: str) -> Person:
    """Somebody of the street, at another gateway."""
    return Person(api, who, street.keys[who][1].decode().removeprefix("Bearer "), "", "")


async def founded(dsn: str, assets: Assets) -> Street:
    """The street, in a database that nobody is connected to afterwards, so that it can be copied."""
    wide = Assets([*assets, CLOSED])
    async with connect(dsn, connections=8) as database:
        async with database.transaction() as connection:
            await ledger.declare(connection, Assets([CLOSED]))
        async with opened(database, wide) as api:
            street = await settle_in(api)
        # A batch is one commit where all accounts are open that it needs; the fees' of other assets are not.
        async with opened(database, wide, fee_basis_points=100) as api:
            assert (await known(api, street, "shop").pay("@ann", "1.00 EUR")).json()["fee"] == "0.01"
    return street


@asynccontextmanager
async def world(dsn: str, assets: Assets, street: Street, most: int = 64, at_once: int = 1) -> AsyncIterator[World]:
    """A copy of the street, a minute and a second later: a key has expired, and nobody can do too much."""
    async with connect(dsn, connections=24) as database:
        async with database.reading() as connection:
            known = await ledger.with_former(connection, assets)
        free = Rate(10**9, timedelta(minutes=1))
        async with opened(database, known, limits=Limits(Rates(free, free, free))) as api:
            api.clock.ahead = timedelta(seconds=61)
            apps: dict[int, Gateway] = {}
            for fee in FEES:
                settings = replace(api.services.settings, ledger_fee_basis_points=fee)
                app = application(replace(api.services, settings=settings), most, at_once)
                apps[fee] = Gateway(app, Front(app))
            found = World(api, street, apps)
            await found.news()
            yield found


# ---- the model ------------------------------------------------------------------------------------------------------


@dataclass
class Model:
    """What is so of the street at one moment, as far as an answer depends on it: from answers, but for the start."""

    available: dict[tuple[str, str], Decimal]
    once: dict[str, Decimal]  #: The most in one payment, by cap and mandate.
    left: dict[str, Decimal]  #: Of each cap's day and the mandate's period.
    used: dict[tuple[str, str], Any] = field(default_factory=dict)  #: What the keys that have an answer stand for.
    payments: dict[str, Any] = field(default_factory=dict)  #: As they are now, by label.
    limits: dict[str, str] = field(default_factory=dict)  #: What a payment counted against, by its label.

    def accept(self, asked: Asked, said: Any) -> None:
        """It was done: the payment as it is now, or the payments of a batch by their labels."""
        assert (asked.who, asked.key) not in self.used, "a key is for one request"
        self.used[asked.who, asked.key] = _meant(asked)
        if asked.kind == "payroll":
            for label, paid in said.items():
                self._move(label, paid)
            return
        if asked.kind in ("capture", "void"):
            self._end(asked.of, said)
            return
        self._move(asked.label, said)
        if asked.limit:
            self.limits[asked.label] = asked.limit
            self.left[asked.limit] -= Decimal(said["amount"])
            assert self.left[asked.limit] >= 0, "no more than the limit"
        if asked.of:
            first = self.payments[asked.of]
            first["refundable"] -= Decimal(said["amount"])
            assert first["refundable"] >= 0, "no more is refunded than was paid"
            if limit := self.limits.get(asked.of):
                self.left[limit] += Decimal(said["amount"])

    def _move(self, label: str, paid: Any) -> None:
        units = Decimal(paid["amount"])
        self._add(paid["from"], paid["asset"], -units - Decimal(paid["fee"]))
        if paid["state"] == "settled":
            self._add(paid["to"], paid["asset"], units)
        self.payments[label] = {**paid, "refundable": units if paid["state"] == "settled" else Decimal(0)}

    def _end(self, label: str, now: Any) -> None:
        held = self.payments[label]
        paid = Decimal(now["captured"])
        self._add(held["from"], held["asset"], Decimal(held["amount"]) + Decimal(held["fee"]))
        if now["state"] == "settled":
            self._add(held["from"], held["asset"], -paid - Decimal(now["fee"]))
            self._add(held["to"], held["asset"], paid)
        if limit := self.limits.get(label):
            self.left[limit] += Decimal(held["amount"]) - paid
        self.payments[label] = {**held, **now, "refundable": paid}

    def _add(self, name: str, asset: str, units: Decimal) -> None:
        key = name.removeprefix("@"), asset
        self.available[key] = self.available.get(key, Decimal(0)) + units
        assert self.available[key] >= 0, "no more is paid than there is"

    def expects(self, asked: Asked, answer: Answer) -> bool:
        """Whether this, which changed nothing, is what is answered at this moment."""
        code, said = answer.code, answer.said
        is_used = (asked.who, asked.key) in self.used
        is_same = is_used and self.used[asked.who, asked.key] == _meant(asked)
        if code in _BEFORE_THE_KEY:
            return True
        if answer.replayed:
            return is_same
        if code == "idempotency_key_reused":
            return is_used and not is_same
        if is_used:
            return False
        if answer.is_new:  # a payroll of which nothing was paid
            told = {Decimal(line["problem"].get("available", -1)) for line in said}
            return told == {self.available["pat", "EUR"]}
        if code == "insufficient_funds":
            payer, asset = said["account"].split(":")[1:]
            has_room = not asked.limit or self.left[asked.limit] >= Decimal(asked.body["amount"])
            has = self.available.get((payer, asset), Decimal(0))
            return has_room and has == Decimal(said["available"]) < Decimal(said["asked"])
        if code == "refund_exceeds_payment":
            return bool(self.payments[asked.of]["refundable"] == Decimal(said["left"]))
        if code == "state_conflict":
            return bool(self.payments[asked.of]["state"] == said.get("state", self.payments[asked.of]["state"]))
        if code in ("cap_exceeded", "mandate_exceeded"):
            return self._is_beyond(asked, said)
        to = asked.body.get("to", "") if isinstance(asked.body, dict) else ""
        return {
            "unknown_payee": to.startswith("@nobody"),
            "self_payment": to == f"@{asked.who}",
            "wallet_frozen": asked.who == "fred",
            "not_found": "{}" in asked.path and not asked.of,
        }.get(code, False)

    def _is_beyond(self, asked: Asked, said: Any) -> bool:
        """Whether a cap or the mandate has as little left as it says, and too little."""
        units, once = Decimal(asked.body["amount"]), self.once[asked.limit]
        left = max(Decimal(0), self.left[asked.limit])
        allowed = {"payment": once, "draw": min(once, left)}.get(said["kind"], left)
        return allowed == Decimal(said["left"]) and (said["kind"] in ("payment", "draw") or left < units)


def _meant(asked: Asked) -> Any:
    """The request in one spelling of what it means."""
    body = asked.body
    if isinstance(body, dict) and "amount" in body:
        body = {**body, "amount": Decimal(body["amount"])}
    return asked.path, asked.of, body


# ---- a group --------------------------------------------------------------------------------------------------------


@dataclass
class Draw:
    """Draws groups. `past` are requests that were made before, whose keys may be used again; the model is read only to
    draw what may be refunded or ended, and what is about as much as there is.
    """

    chance: random.Random
    street: Street
    model: Model
    past: list[Asked] = field(default_factory=list)
    number: int = 0

    def group(self) -> list[Asked]:
        """A handful up to 64 requests of mixed kinds."""
        chance = self.chance
        self.number += 1
        size = chance.choice(
            [chance.randint(3, 8), chance.randint(6, 16), chance.randint(12, 32), chance.randint(40, 64)]
        )
        kinds, weights = zip(*KINDS.items(), strict=True)
        asked: list[Asked] = []
        for place in range(size):
            (kind,) = chance.choices(kinds, weights)
            label = f"{self.number}.{place}"
            # Of two batches with one key at once neither is told that it is the second: a batch is several commits.
            again = (
                [one for one in asked if one.kind not in ("payroll", "malformed")]
                if chance.random() < 0.7
                else self.past
            )
            if kind.startswith("key again") and again:
                asked.append(self._again(label, kind, chance.choice(again)))
            else:
                asked.append(self._one(label, kind))
        self.past = [*self.past, *(one for one in asked if one.kind != "malformed")][-200:]
        return asked

    def _again(self, label: str, kind: str, first: Asked) -> Asked:
        """The same request with its key, spelled otherwise or not; or another one with that key."""
        body = first.body
        if isinstance(body, dict) and "amount" in body:
            if kind == "key again":
                body = {**body, "amount": self._spelled(body["amount"])}
            else:
                body = {**body, "amount": str(Decimal(body["amount"]) + 1)}
        return replace(first, label=label, body=body)

    def _spelled(self, units: str) -> str:
        return units + "0" if len(units.partition(".")[2]) == 1 else units

    def _one(self, label: str, kind: str) -> Asked:
        chance, street = self.chance, self.street
        who = chance.choice([*PAYERS, "shop"])
        to = "shop" if chance.random() < 0.4 else chance.choice([*PAYERS, *PAYERS, *PAID_ONLY, *NEWCOMERS])
        units, asset = self._money(who)
        tills = [name for name in street.capped if name != "the mandate"]
        asked = Asked(label, kind, who, street.keys[who], f"{label}-{chance.random()}", "/v1/payments", {})
        if kind == "too dear":
            units = str(abs(self.model.available.get((who, asset), Decimal(0)) * 3 // 4) + self._cents(asset, 1, 300))
        if kind in ("capped", "beyond the cap", "draw"):
            limit = "the mandate" if kind == "draw" else chance.choice(tills)
            of = street.capped[limit]
            most = of.once if kind == "capped" or chance.random() < 0.8 else of.once * 2
            units, asset = str(self._cents(of.asset, 1, int(most * 100))), of.asset
            if kind == "beyond the cap":
                units = str(of.once + self._cents(of.asset, 1, 50))
            asked = replace(asked, who=of.who, credential=of.credential, limit=limit)
        match kind:
            case "draw":
                return replace(asked, who="shop", path=f"/v1/mandates/{street.mandate}/draws", body={"amount": units})
            case "refund":
                return self._refund(asked)
            case "capture" | "void":
                return self._end(asked, kind)
            case "payroll":
                return self._payroll(asked)
            case "unknown payee":
                to = f"nobody{chance.randrange(3)}"
            case "to oneself":
                to = asked.who
            case "bad key":
                name = chance.choice([*street.bad])
                asked = replace(asked, who=f"somebody with {name}", credential=street.bad[name])
            case "frozen":
                asked, (units, asset) = replace(asked, who="fred", credential=street.keys["fred"]), ("1.00", "EUR")
            case "guarded" | "session":
                credential = street.keys["grace"] if kind == "guarded" else street.session
                units, asset = f"{chance.choice([1, 5, 30, 101])}.00", "EUR"
                to = "shop" if chance.random() < 0.7 else to
                asked = replace(asked, who="grace", credential=credential)
            case "malformed":
                units = chance.choice(["-1.00", "0", "1.001", "1e3", "x"])
        if to == asked.who and kind != "to oneself":
            to = "shop" if asked.who != "shop" else "ann"
        body = {"to": f"@{to}", "amount": units, "asset": asset}
        if kind == "hold" or (kind in ("capped", "guarded") and chance.random() < 0.15):
            body["capture"] = False  # type: ignore[assignment] # JSON
        if chance.random() < 0.3:
            body["memo"] = f"for {label}"
        if chance.random() < 0.05:
            body["reference"] = f"order {label}"
        return replace(asked, body=body)

    def _money(self, who: str) -> tuple[str, str]:
        (asset,) = self.chance.choices(["EUR", "JPY", "USDX", "HRK"], [12, 2, 2, 1 if who == "ann" else 0])
        return str(self._cents(asset, 1, 350)), asset

    def _cents(self, asset: str, least: int, most: int) -> Decimal:
        units = self.chance.randint(least, most)
        return Decimal(units) if asset == "JPY" else Decimal(units) / 100

    def _refund(self, asked: Asked) -> Asked:
        """Of the shop's or of a payer's, all of it, a part or a little too much; the same one often twice at once."""
        paid = [
            label
            for label, one in self.model.payments.items()
            if one["refundable"] and "/" not in label and one["to"].removeprefix("@") in ("shop", *PAYERS)
        ][-12:]
        if not paid:
            return replace(asked, path="/v1/payments/{}/refund", body={})
        of = self.chance.choice(paid)
        one = self.model.payments[of]
        who, left = one["to"].removeprefix("@"), one["refundable"]
        part = self.chance.choice([None, left, self._cents(one["asset"], 1, 100)])
        body = {} if part is None else {"amount": str(part)}
        return replace(
            asked, who=who, credential=self.street.keys[who], path="/v1/payments/{}/refund", body=body, of=of
        )

    def _end(self, asked: Asked, kind: str) -> Asked:
        held = [
            label
            for label, one in self.model.payments.items()
            if one["state"] == "held" and one["asset"] != "USDX" and one["to"].removeprefix("@") in self.street.keys
        ][-6:]
        if not held:
            return replace(asked, path="/v1/payments/{}/" + kind, body={})
        of = self.chance.choice(held)
        one = self.model.payments[of]
        who = one["to" if kind == "capture" else "from"].removeprefix("@")
        some = kind == "capture" and one["asset"] != "JPY" and self.chance.random() < 0.4
        body = {"amount": "0.01"} if some else {}
        return replace(
            asked, who=who, credential=self.street.keys[who], path="/v1/payments/{}/" + kind, body=body, of=of
        )

    def _payroll(self, asked: Asked) -> Asked:
        """Many payments in one call. Whom it pays only gets: what they have is told by the numbers of their entries."""
        lines = [
            {"to": f"@{self.chance.choice(PAID_ONLY)}", "amount": str(self._cents("EUR", 1, 300)), "asset": "EUR"}
            for _ in range(self.chance.randint(1, 6))
        ]
        return replace(asked, who="pat", credential=self.street.keys["pat"], path="/v1/payments/batch", body=lines)


#: What a group is of, and how often.
KINDS = {
    "good": 26,
    "too dear": 9,
    "key again": 6,
    "key again, another request": 5,
    "unknown payee": 3,
    "to oneself": 2,
    "capped": 12,
    "beyond the cap": 2,
    "draw": 4,
    "bad key": 4,
    "frozen": 2,
    "hold": 6,
    "capture": 4,
    "void": 2,
    "guarded": 5,
    "session": 2,
    "refund": 7,
    "payroll": 2,
    "malformed": 1,
}


# ---- both worlds ----------------------------------------------------------------------------------------------------


class Unexplained(AssertionError):
    """No order of the group explains these answers."""


class Different(AssertionError):
    """The worlds do not agree."""


@dataclass
class Both:
    """The street twice: what is asked at once in the first is asked one by one in the second."""

    together: World
    alone: World
    draw: Draw
    seen: Counter[str] = field(default_factory=Counter)
    told: dict[str, list[str]] = field(default_factory=lambda: {who: [] for who in EVERYBODY})

    async def live(self, groups: int) -> None:
        for n in range(groups):
            await self.group(self.draw.group(), self.draw.chance.choice(FEES))
            if n % LOOK_EVERY == LOOK_EVERY - 1:
                await self.look()
        await self.look()
        together, alone = await self.together.everything(), await self.alone.everything()
        for name, said in together.items():
            if said != alone[name]:
                raise Different(f"{name}\nis at once:     {said}\nand one by one: {alone[name]}")
        assert await self.together.api.wrong() == await self.alone.api.wrong() == []

    async def group(self, asked: Sequence[Asked], fee: int) -> None:
        """One group, in both worlds. Raises AssertionError where they differ, Unexplained where no order would do."""
        first, model = self.together, self.draw.model
        answers = await asyncio.gather(*(first.answer(one, fee) for one in asked))
        for one, answer in zip(asked, answers, strict=True):
            first.learn(one, answer)
            words = [f"{one.kind}: {answer.status}", answer.code, "again" * answer.replayed]
            self.seen[" ".join(filter(None, words))] += 1
        told = await first.news()
        order = await self._order(asked, answers, told)

        waiting = [place for place in range(len(asked)) if place not in set(order)]
        for moment in range(len(order) + 1):
            for place in [place for place in waiting if model.expects(asked[place], answers[place])]:
                waiting.remove(place)
                await self._again(asked[place], answers[place], fee)
                if answers[place].is_new:
                    model.accept(asked[place], {})
            if moment < len(order):
                place = order[moment]
                answer = await self._again(asked[place], answers[place], fee)
                model.accept(asked[place], await self._payments(asked[place], answer))
        if waiting:
            raise Unexplained("\n".join(f"{asked[place]}\n-> {answers[place]}" for place in waiting))
        for who, events in told.items():
            self.told[who] += [_told(first, event) for event in events]

    async def look(self) -> None:
        """What everybody was told of, and what they have."""
        for who, events in (await self.alone.news()).items():
            # A payroll is told of before it is done: what others do then is told of in between.
            assert sorted(_told(self.alone, event) for event in events) == sorted(self.told[who]), who
            self.told[who] = []
        for who, balances in (await self.together.wallets()).items():
            for asset, balance in balances.items():
                has = self.draw.model.available.get((who, asset), Decimal(0))
                assert Decimal(balance["available"]) == has, (who, asset, balance, has)

    async def _again(self, asked: Asked, first: Answer, fee: int) -> Answer:
        """Ask it of the second world: the answer is the first world's."""
        answer = await self.alone.answer(asked, fee)
        self.alone.learn(asked, answer)
        one, other = _said(self.together, first), _said(self.alone, answer)
        if one != other:
            raise Different(f"{asked}\nis answered at once: {one}\nand one by one:       {other}")
        return answer

    async def _payments(self, asked: Asked, answer: Answer) -> Any:
        """What the model is told of what was done."""
        if asked.kind != "payroll":
            return answer.said
        lines = _lines(asked, answer.said)
        return {label: await self.alone.get("pat", f"/v1/payments/{line['id']}") for label, line in lines}

    async def _order(self, asked: Sequence[Asked], answers: Sequence[Answer], told: dict[str, list[Any]]) -> list[int]:
        """The places of what was done, in the order in which it was."""
        numbers: dict[tuple[str, str], int] = {}
        for events in told.values():
            for event in events:
                numbers[event["data"]["id"], event["type"]] = number_of(read("evt", event["id"]))
        when: dict[int, int] = {}
        place_of: dict[str, int] = {}
        for place, (one, answer) in enumerate(zip(asked, answers, strict=True)):
            if not answer.is_new:
                continue
            made = [line for _, line in _lines(one, answer.said)] if one.kind == "payroll" else [answer.said]
            if not made:
                continue
            place_of |= {payment["id"]: place for payment in made if payment["state"] == "settled"}
            when[place] = min(numbers[of["id"], f"payment.{of['state']}"] for of in made)
        order = sorted(when, key=lambda place: when[place])
        for place in [place for place in order if asked[place].kind == "payroll"]:
            order.remove(place)
            order.insert(await self._after(place, order, place_of), place)
        return order

    async def _after(self, place: int, order: list[int], place_of: dict[str, int]) -> int:
        """Where in the order a payroll was paid: after all that stands before it in the statements it is in."""
        after = 0
        for who in ("pat", *PAID_ONLY):
            entries = (await self.together.get(who, "/v1/entries?asset=EUR&limit=200"))["items"]
            places = [place_of.get(entry["payment_id"], -1) for entry in reversed(entries)]
            before = places[: places.index(place)] if place in places else []
            after = max([after, *(order.index(one) + 1 for one in before if one in order)])
        return after


def _lines(asked: Asked, said: Any) -> list[tuple[str, Any]]:
    """The payments that a batch has made, with their labels."""
    return [(f"{asked.label}/{place}", line) for place, line in enumerate(said) if "id" in line]


def _said(world: World, answer: Answer) -> tuple[int, bool, str]:
    return answer.status, answer.replayed, world.plain(answer.body.decode())


def _told(world: World, event: Any) -> str:
    return world.plain(json.dumps([event["type"], event["sequence"], event["data"]], sort_keys=True))


async def model_of(street: Street, world: World) -> Model:
    """The street as it is before anything is asked."""
    available = {
        (who, asset): Decimal(balance["available"])
        for who, balances in (await world.wallets()).items()
        for asset, balance in balances.items()
    }
    once = {name: of.once for name, of in street.capped.items()}
    return Model(available, once, {name: of.left for name, of in street.capped.items()})
