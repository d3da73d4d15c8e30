"""One copy of the crowd: the applications over it, and what it answers."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from gateway.identity.rate_limits import Limits, Rate, Rates
from gateway.ledger import ledger
from gateway.money import Assets
from gateway.postgres.pool import connect
from tests.api.browser import OWN
from tests.api.conftest import Api, opened
from tests.api.groups.crowd import EVERYBODY, Crowd
from tests.api.groups.request import Answer, Asked, Gateway, ask, lines
from tests.applications import application
from tests.front import Front

#: What the gateway takes of a payment, in basis points.
FEES = (0, 37)

_ID, _TIME = re.compile(r"pay_[0-9a-z]{26}"), re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass
class World:
    """One copy of the crowd. `labels` say which request each of its payments is of."""

    api: Api
    crowd: "Crowd"
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
        answer = await ask(self.apps[0], "GET", path, [self.crowd.keys[who]], b"")
        assert answer.status == 200, answer
        return answer.said

    def learn(self, asked: Asked, answer: Answer) -> None:
        """Which payments the answer has made."""
        if not answer.is_new:
            return
        said = answer.said
        made = [(asked.label, said)] if isinstance(said, dict) else lines(asked, said)
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


@asynccontextmanager
async def world(dsn: str, assets: Assets, crowd: Crowd, maximum: int = 64, at_once: int = 1) -> AsyncIterator[World]:
    """A copy of the crowd, a minute and a second later: a key has expired, and nobody can do too much."""
    async with connect(dsn, connections=24) as database:
        async with database.reading() as connection:
            known = await ledger.with_former(connection, assets)
        free = Rate(10**9, timedelta(minutes=1))
        async with opened(database, known, limits=Limits(Rates(free, free, free))) as api:
            api.clock.ahead = timedelta(seconds=61)
            apps: dict[int, Gateway] = {}
            for fee in FEES:
                settings = replace(api.services.settings, ledger_fee_basis_points=fee)
                app = application(replace(api.services, settings=settings), maximum, at_once)
                apps[fee] = Gateway(app, Front(app))
            found = World(api, crowd, apps)
            await found.news()
            yield found
