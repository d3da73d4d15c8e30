"""What must hold while the primary fails: every answer that a client got is true, and service comes back.

Clients pay on both rails through both gateways, each payment under a key of its own, and send it again until they have
an answer. A round has the primary fail in one way. Afterwards:

- every payment that was answered 201 or 202 is there, once, with the id that was answered;
- the shop has what was paid, and not a cent more;
- nobody was answered 404, 500 or anything else that is not 201, 202, 409 (the key is in progress) or 503;
- payments are answered again within `SERVICE_SECONDS` of the fault, on both rails, by both gateways;
- `/health/ready` is answered within `READY_SECONDS`, whatever hangs;
- no gateway and no worker has logged a traceback: a failover is a line or two;
- `gateway reconcile` finds no difference.

The logs are kept where a round has found something.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import uuid4

import httpx

from failover.cluster import Cluster
from failover.logs import Logs
from failover.observer import Observer
from gateway.cli.operate import operations

#: Within this time of a fault new payments are answered again: a primary's lease of 20 s, and the change itself.
SERVICE_SECONDS = 30.0

#: Within this time readiness is answered, whatever hangs.
READY_SECONDS = 2.0

#: How long a primary that is cut off stays so: longer than its lease and any statement's deadline together.
CUT_SECONDS = 60.0
FROZEN_SECONDS = 40.0
SETTLED_SECONDS = 30.0  #: How long the load goes on after a round's fault is over.

_CLIENTS = 3  #: On each rail.
_PAUSE_SECONDS = 0.1  #: Of a client between two payments.
_AT_ONCE = 8  #: How many payments are looked up at once afterwards.
_AMOUNT = {"EUR": "0.01", "USDX": "0.01"}
_EXPECTED = {201, 202, 409, 503}


@dataclass
class Paid:
    """One payment of a client, and by which gateway and when it was answered."""

    payer: str
    asset: str
    key: str
    gateway: str = ""
    answered: float = 0.0
    id: str = ""


@dataclass
class Load:
    """Clients that pay until they are told to stop."""

    http: httpx.AsyncClient
    urls: dict[str, str]
    keys: dict[str, str]  #: The API key of each payer.
    paid: list[Paid] = field(default_factory=list)
    odd: Counter[str] = field(default_factory=Counter)
    stop: bool = False

    async def client(self, payer: str, asset: str, turn: int) -> None:
        """One payment after another; each is sent again until it is answered, by either gateway."""
        while not self.stop:
            one = Paid(payer, asset, uuid4().hex)
            self.paid.append(one)
            while not one.id:
                turn += 1
                one.gateway = list(self.urls)[turn % len(self.urls)]
                one.id = await self.send(one, self.urls[one.gateway])
                if not one.id:
                    await asyncio.sleep(0.2)
            one.answered = time.monotonic()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def send(self, one: Paid, url: str) -> str:
        """Send the payment; the id that it was answered with, or nothing where it has to be sent again."""
        headers = {"Authorization": f"Bearer {self.keys[one.payer]}", "Idempotency-Key": one.key}
        body = {"to": "@shop", "amount": _AMOUNT[one.asset], "asset": one.asset}
        try:
            answer = await self.http.post(f"{url}/v1/payments", headers=headers, json=body)
        except httpx.HTTPError:
            return ""
        if answer.status_code not in _EXPECTED:
            self.odd[f"{answer.status_code} {answer.text[:300]}"] += 1
        if answer.status_code not in (201, 202):
            return ""
        return str(answer.json()["id"])


Round = Callable[[Cluster], Awaitable[None]]


async def switchover(cluster: Cluster) -> None:
    """The primary hands over to its standby, as an operator would have it."""
    await cluster.nodes.switch_over()


async def frozen(cluster: Cluster) -> None:
    """The primary's machine stops: its connections stay open and nothing answers."""
    primary = await cluster.nodes.primary()
    cluster.nodes.freeze(primary)
    await asyncio.sleep(FROZEN_SECONDS)
    cluster.nodes.unfreeze(primary)


async def cut_off(cluster: Cluster) -> None:
    """The primary runs on while the others elect another: nobody else has what it commits."""
    primary = await cluster.nodes.primary()
    cluster.nodes.cut_off(primary)
    await asyncio.sleep(CUT_SECONDS)
    cluster.nodes.unfreeze(primary)


ROUNDS: dict[str, Round] = {"switchover": switchover, "cut-off": cut_off, "frozen": frozen}


async def run(cluster: Cluster, names: list[str]) -> int:
    """Run the rounds one after the other; the number of those that found something."""
    wrong = 0
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(trust_env=False, timeout=15, limits=limits) as http:
        load = Load(http, cluster.urls, await _open_wallets(http, cluster.urls["hosts"]))
        for name in names:
            faults = await _round(cluster, load, name)
            print(f"{name}: {'ok' if not faults else 'FAILED'}", *faults, sep="\n  ", flush=True)
            wrong += bool(faults)
            if faults:
                cluster.keep_logs()
                print(f"  the logs are kept in {cluster.logs}", flush=True)
    return wrong


async def _round(cluster: Cluster, load: Load, name: str) -> list[str]:
    await cluster.nodes.until_replicated()
    logs = Logs(cluster.logs)
    load.stop, load.odd = False, Counter()
    before = len(load.paid)
    clients = [
        asyncio.create_task(load.client(payer, asset, turn))
        for asset in _AMOUNT
        for turn, payer in enumerate(list(load.keys)[:_CLIENTS])
    ]
    await asyncio.sleep(5)
    observer = Observer(cluster, load.http, await cluster.nodes.primary())
    watching = asyncio.create_task(observer.watch())
    fault = time.monotonic()
    await ROUNDS[name](cluster)
    await asyncio.sleep(SETTLED_SECONDS)
    load.stop = True
    async with asyncio.timeout(120):
        await asyncio.gather(*clients)
    watching.cancel()
    await asyncio.wait({watching})
    paid = load.paid[before:]
    silences = _silences(paid, fault)
    print(f"{name}: {len(paid)} payments; silent for at most {max(silences.values()):.1f} s", flush=True)
    print(*observer.lines(fault), sep="\n", flush=True)
    return [
        *(f"{times} times: {what}" for what, times in load.odd.items()),
        *_too_late(silences),
        *_not_ready(observer),
        *await _untrue(load, paid),
        *await _wrong_sums(cluster, load),
        *logs.tracebacks(),
    ]


#: What has to come back: a rail, at a gateway.
Service = tuple[str, str]


def _silences(paid: list[Paid], fault: float) -> dict[Service, float]:
    """Of each service, the longest time from the fault on in which it answered nobody."""
    silences: dict[Service, float] = {}
    for service in {(one.asset, one.gateway) for one in paid}:
        times = sorted(one.answered for one in paid if (one.asset, one.gateway) == service and one.answered > fault)
        gaps = [later - earlier for earlier, later in zip([fault, *times], times, strict=False)]
        silences[service] = max(gaps, default=float("inf"))
    return silences


def _too_late(silences: dict[Service, float]) -> list[str]:
    return [
        f"{asset} by the gateway with {gateway}: nobody was answered for {seconds:.1f} s"
        for (asset, gateway), seconds in silences.items()
        if seconds > SERVICE_SECONDS
    ]


def _not_ready(observer: Observer) -> list[str]:
    return [
        f"/health/ready of the gateway with {name} took {seconds:.1f} s"
        for name, seconds in observer.ready_seconds.items()
        if seconds > READY_SECONDS
    ]


async def _untrue(load: Load, paid: list[Paid]) -> list[str]:
    """The answers that are not true any more: each payment asked for by its id, and sent again under its key."""
    few = asyncio.Semaphore(_AT_ONCE)

    async def check(one: Paid) -> str:
        headers = {"Authorization": f"Bearer {load.keys[one.payer]}"}
        async with few:
            shown = await load.http.get(f"{load.urls['hosts']}/v1/payments/{one.id}", headers=headers)
            again = await load.send(one, load.urls["proxy"])
        if shown.status_code == 200 and again == one.id:
            return ""
        return f"LOST: {one.id} of key {one.key} is {shown.status_code} now, and its key gives {again!r}"

    return [lost for lost in await asyncio.gather(*map(check, paid)) if lost]


async def _wrong_sums(cluster: Cluster, load: Load) -> list[str]:
    """What the shop has, compared with all that was ever paid, once the chain has settled; and the ledger's own
    check.
    """
    headers = {"Authorization": f"Bearer {load.keys['shop']}"}
    wanted = {
        asset: Decimal(amount) * sum(one.asset == asset for one in load.paid) for asset, amount in _AMOUNT.items()
    }
    give_up = time.monotonic() + 60
    while True:
        answer = (await load.http.get(f"{load.urls['hosts']}/v1/wallet", headers=headers)).json()
        has = {one["asset"]: Decimal(one["available"]) for one in answer["balances"]}
        wrong = [
            f"the shop has {has.get(one)} {one}, and was paid {due}"
            for one, due in wanted.items()
            if has.get(one, 0) != due
        ]
        if not wrong or time.monotonic() > give_up:
            break
        await asyncio.sleep(0.5)
    found = await operations.reconcile(cluster.config)
    return wrong + [str(fault) for fault in (*found.faults, *found.differences)]


async def _open_wallets(http: httpx.AsyncClient, url: str) -> dict[str, str]:
    """The payers, each with money on both rails, and the shop; the API key of each."""
    keys: dict[str, str] = {}
    for handle in [*(f"payer{number}" for number in range(_CLIENTS)), "shop"]:
        answer = await http.post(f"{url}/v1/handles", json={"handle": handle})
        answer.raise_for_status()
        keys[handle] = answer.json()["api_key"]
    for handle in list(keys)[:_CLIENTS]:
        for path, body in (
            ("deposits", {"amount": "1000.00", "asset": "EUR"}),
            ("deposits", {"amount": "1000.00", "asset": "USD"}),
            ("conversions", {"amount": "1000.00", "asset": "USD", "to_asset": "USDX"}),
        ):
            headers = {"Authorization": f"Bearer {keys[handle]}", "Idempotency-Key": uuid4().hex}
            (await http.post(f"{url}/v1/{path}", headers=headers, json=body)).raise_for_status()
    for handle in list(keys)[:_CLIENTS]:
        await _until_has(http, url, keys[handle], "USDX")
    return keys


async def _until_has(http: httpx.AsyncClient, url: str, key: str, asset: str) -> None:
    async with asyncio.timeout(60):
        while True:
            answer = await http.get(f"{url}/v1/wallet", headers={"Authorization": f"Bearer {key}"})
            balances = {one["asset"]: Decimal(one["available"]) for one in answer.json()["balances"]}
            if balances.get(asset):
                return
            await asyncio.sleep(0.3)
