"""What must be true: some of it at every moment, all of it when a day is over."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.audit import verify
from gateway.chain.token.contract import balance_of_data
from gateway.custody import wallet_keys
from gateway.ids import read as id_of
from tests.factory import NOW
from tests.simulation import truth
from tests.simulation.customers import Asked, Customers
from tests.simulation.outsiders import Outsiders
from tests.simulation.truth import NOBODY, Moved, Truth
from tests.simulation.world import World

#: The ends of a payment and of a conversion. Those marked say why.
ENDS = {"settled": False, "failed": True, "voided": False, "expired": False}

# ---- at every moment ------------------------------------------------------------------------------------------------

_ENDED_SINCE = """
    SELECT tx_hash FROM payment WHERE settled_at > $1 AND rail = 'chain'
    UNION SELECT tx_hash FROM conversion WHERE settled_at > $1
    UNION SELECT '0x' || encode(final_hash, 'hex') FROM chain_transaction WHERE concluded_at > $1"""

_SHORT = """
    SELECT split_part(code, ':', 2) AS handle, code FROM account
    WHERE guarded AND code LIKE 'wallet:%' AND credits_posted - debits_posted < debits_pending"""

_POSTED = """
    SELECT wallet.handle, held.addresses, coalesce(account.credits_posted - account.debits_posted, 0) AS posted
    FROM wallet
    JOIN (SELECT wallet_id, array_agg(address) AS addresses FROM wallet_address GROUP BY wallet_id) AS held
        ON held.wallet_id = wallet.id
    LEFT JOIN account ON account.code = 'wallet:' || wallet.handle || ':' || $1"""


@dataclass
class Looks:
    """Looks at the ledger while the day goes on."""

    world: World
    final: set[str] = field(default_factory=set)
    since: datetime = NOW

    async def look(self) -> None:
        """What is settled is of a final block, nobody is left short by an intent, no worker suspects a difference."""
        world = self.world
        now, head = world.clock.now, world.chain.head()
        for row in await world.rows(_ENDED_SINCE, self.since):
            if row["tx_hash"] in self.final:
                continue
            receipt = world.chain.rpc("eth_getTransactionReceipt", row["tx_hash"])
            if receipt is None or int(receipt["blockNumber"], 16) > head - world.town.FINALITY:
                raise world.violated("nothing is settled before its block is final", row["tx_hash"])
            self.final.add(row["tx_hash"])
        self.since = now
        left = {one.handle for one in world.people if one.left}
        short = [row["code"] for row in await world.rows(_SHORT) if row["handle"] not in left]
        if short:
            raise world.violated("nobody's intent makes `available` negative", short)
        if found := await world.rows("SELECT account, against, block, ledger, other FROM difference"):
            raise world.violated("the workers find no difference", [dict(row) for row in found])

    async def compare(self) -> None:
        """The ledger has what the chain had at the block that the ledger is at."""
        world = self.world
        ((number, hash_),) = await world.rows("SELECT number, hash FROM chain_cursor")
        block = await world.node.block(number)
        if block is None or block.hash != hash_:
            raise world.violated("the ledger follows the chain", f"block {number} is not the one that was read")
        for code in world.tokens:
            rows = await world.rows(_POSTED, code)
            held = [(row["handle"], address) for row in rows for address in row["addresses"]]
            asked = [(world.token_at(code), balance_of_data(address)) for _, address in held]
            have = Counter[str]()
            for (handle, _), answer in zip(held, await world.node.calls(asked, number), strict=True):
                have[handle] += int.from_bytes(answer, "big")
            for row in rows:
                has = have[row["handle"]]
                if has != row["posted"]:
                    raise world.violated(
                        "the ledger equals the chain",
                        f"@{row['handle']} {code}: {row['posted']}, and {has} on the chain",
                    )


# ---- when the day is over -------------------------------------------------------------------------------------------

_IN_BETWEEN = """
    SELECT 'authorization ' || id || ' is ' || state AS what FROM token_authorization
        WHERE state IN ('queued', 'submitted')
    UNION ALL SELECT 'payment ' || id || ' is ' || state FROM payment
        WHERE state NOT IN ('settled', 'failed', 'voided', 'expired')
    UNION ALL SELECT 'sweep ' || id || ' is ' || state FROM sweep WHERE state NOT IN ('settled', 'gone')
    UNION ALL SELECT 'conversion ' || id || ' is ' || state FROM conversion WHERE state NOT IN ('settled', 'failed')
    UNION ALL SELECT kind || ' of nonce ' || nonce || ' is stored' FROM chain_transaction WHERE state = 'stored'
    UNION ALL SELECT 'money is set aside in ' || code FROM account WHERE debits_pending + credits_pending <> 0
    UNION ALL SELECT 'relayer ' || address || ' is stopped' FROM relayer WHERE stopped IS NOT NULL"""

_PROMISES = """
    SELECT promise.id, promise.state, a.kind, a.signed_by, a.signature, a.asset, a.to_address, a.value, a.nonce,
        CASE a.kind WHEN 'mint' THEN '0x0000000000000000000000000000000000000000' ELSE a.from_address END AS payer
    FROM (
        SELECT id, state, authorization_id FROM payment
        UNION ALL SELECT id, state, authorization_id FROM conversion
        UNION ALL SELECT id, state, authorization_id FROM sweep
    ) AS promise
    JOIN token_authorization AS a ON a.id = promise.authorization_id"""

_TRIED_BEFORE = """
    SELECT id FROM token_authorization WHERE kind = 'sweep' AND id NOT IN (SELECT authorization_id FROM sweep)"""


async def in_between(world: World) -> list[str]:
    """Whatever has no end yet."""
    return [row["what"] for row in await world.rows(_IN_BETWEEN)]


@dataclass
class Reckoning:
    """All of a day, held against itself."""

    world: World
    customers: Customers
    outsiders: Outsiders
    deposits: Counter[tuple[str, str]]  #: Units by handle and currency.
    ends: Counter[str] = field(default_factory=Counter)  #: How many ended how; what was refused too.
    _settled: set[Moved] = field(default_factory=set)  #: What settled a promise, whoever relayed it.

    async def reckon(self) -> None:
        """Raises Violation where anything is not as it must be."""
        world = self.world
        tokens = {code: world.token_at(code) for code in world.tokens}
        said = truth.read(world.chain, tokens)
        if left := await in_between(world):
            raise world.violated("nothing is left in between", left)
        await self._once(said)
        world.seen["a sweep was tried again"] += len(await world.rows(_TRIED_BEFORE))
        seen = await self._ended()
        await self._money(said, seen)
        if found := await world.town.differences():
            raise world.violated("a reconciliation finds nothing", found)
        await self._checkpoints()

    async def _checkpoints(self) -> None:
        """Whoever was killed while writing a checkpoint, both logs are under one chain and match it."""
        async with self.world.town.database.snapshot() as connection:
            keys = await wallet_keys.checkpoint_keys(connection, self.world.vault)
            verified = await verify.verify(connection, keys)
        if verified.broken or any(verified.pending.values()) or not verified.checkpoints:
            raise self.world.violated("both logs match their checkpoints", verified)

    async def _once(self, said: Truth) -> None:
        """Each promise moved tokens at most once, just as its state says, and nothing else of ours moved any."""
        world, moved, sent = self.world, set[Moved](), self.outsiders.sent
        for row in await world.rows(_PROMISES):
            found = said.settlements(row["asset"], row["payer"], int(row["nonce"]))
            payee = NOBODY if row["kind"] == "redemption" else row["to_address"].lower()
            ours = [one for one in found if (one.payee, one.units) == (payee, int(row["value"]))]
            others = [one for one in found if one not in ours]
            moved |= set(found)
            if (row["state"], row["signed_by"]) == ("expired", "owner") and {one.transaction for one in ours} <= sent:
                continue  # its owner had it relayed when its time was over: tokens from outside, like any other
            self._settled |= set(ours)
            self._note(row)
            if len(ours) != (row["state"] == "settled"):
                raise world.violated("settled once on the chain, or not at all", f"{dict(row)}: {ours}")
            if any(one.transaction not in sent for one in others):
                raise world.violated("what moves is what was promised", others)
        strange = [one for one in said.moved if one not in moved and one.transaction not in sent]
        if strange:
            raise world.violated("nothing moves that nobody asked for", strange)

    def _note(self, promise: Any) -> None:
        """What the acts alone do not show."""
        kind, state, seen = promise["kind"], promise["state"], self.world.seen
        if kind == "sweep":
            seen[f"a sweep is {state}"] += 1
        elif (promise["signed_by"], state, promise["signature"]) == ("owner", "settled", None):
            seen["what its owner relayed was settled"] += 1

    async def _ended(self) -> list[tuple[Asked, Any]]:
        """Every request has an answer, and every payment and conversion an end, with a reason where it failed."""
        world, seen = self.world, list[tuple[Asked, Any]]()
        for asked in self.customers.asked:
            if asked.status is None:
                raise world.violated("every request is answered in the end", asked)
            if not asked.accepted:
                self.ends[f"refused: {asked.answer['code']}"] += 1
            elif asked.kind not in ("deposit", "capture", "void"):
                now = await self.customers.see(asked)
                if now["state"] not in ENDS or (now["failure"] is not None) != ENDS[now["state"]]:
                    raise world.violated("an end, with a reason where it failed", now)
                self.ends[f"{asked.kind} {now['state']}{': ' + now['failure'] if now['failure'] else ''}"] += 1
                seen.append((asked, now))
        ids = [id_of(now["id"][:3], now["id"]) for _, now in seen]
        rows = await world.rows("SELECT id FROM payment UNION ALL SELECT id FROM conversion")
        if sorted(ids) != sorted(row["id"] for row in rows):
            raise world.violated("one payment for each key", f"{len(ids)} asked for, {len(rows)} made")
        return seen

    async def _money(self, said: Truth, seen: list[tuple[Asked, Any]]) -> None:
        """Everybody has what the acts come to, at however many addresses; the chain's own sums and the ledger agree."""
        world = self.world
        tokens, fiat = Counter[tuple[str, str]](), Counter(self.deposits)
        for asked, now in seen:
            if now["state"] == "settled":
                self._count(asked, now, tokens, fiat)
        for one in said.moved:
            if one.transaction in self.outsiders.sent and one not in self._settled:
                tokens[one.code, world.holder(one.payer)] -= one.units
                tokens[one.code, world.holder(one.payee)] += one.units
                if one.payee == NOBODY:
                    owner, token = world.owner_of(one.payer), world.town.assets[one.code]
                    assert owner is not None
                    cents = one.units * 100 // 10**token.decimals
                    fiat[owner.handle, str(token.backing)] += cents
        mine = {key: units for key, units in tokens.items() if units}
        theirs = Counter[tuple[str, str]]()
        for (code, address), units in said.have.items():
            theirs[code, world.holder(address)] += units
        if mine != {key: units for key, units in theirs.items() if units}:
            raise world.violated("the acts come to what the chain says", f"{mine} and {theirs}")
        await self._ledger(tokens, fiat)

    def _count(self, asked: Asked, now: Any, tokens: Counter[tuple[str, str]], fiat: Counter[tuple[str, str]]) -> None:
        """Add what a settled payment or conversion moved."""
        assets = self.world.town.assets
        if asked.kind == "conversion":
            given, got = assets[now["asset"]].parse(now["amount"]), assets[now["to_asset"]].parse(now["to_amount"])
            owner = asked.person
            sign, money, cash = (1, got, given) if given.asset.kind == "fiat" else (-1, given, got)
            tokens[money.asset.code, f"@{owner.handle}"] += sign * money.units
            tokens[money.asset.code, NOBODY] -= sign * money.units
            fiat[owner.handle, cash.asset.code] -= sign * cash.units
            return
        money = assets[now["asset"]].parse(now["captured"])
        payee = now["to"] if now["to"].startswith("@") else self.world.holder(now["to"])
        tokens[money.asset.code, now["from"]] -= money.units
        tokens[money.asset.code, payee] += money.units

    async def _ledger(self, tokens: Counter[tuple[str, str]], fiat: Counter[tuple[str, str]]) -> None:
        world, expected = self.world, Counter[str]()
        for (code, holder), units in tokens.items():
            if holder == NOBODY:
                expected[f"supply:{code}"] += -units
            elif holder.startswith("@"):
                expected[f"wallet:{holder[1:]}:{code}"] += units
            else:
                expected[f"outside:{code}"] += units
        for (handle, code), units in fiat.items():
            expected[f"wallet:{handle}:{code}"] += units
        rows = await world.rows(
            "SELECT code, abs(credits_posted - debits_posted) AS posted FROM account "
            "WHERE code LIKE 'wallet:%' OR code LIKE 'supply:%' OR code LIKE 'outside:%'"
        )
        ledger = {row["code"]: int(row["posted"]) for row in rows if row["posted"]}
        if ledger != {code: units for code, units in expected.items() if units}:
            wrong = {code for code in {*ledger, *expected} if ledger.get(code, 0) != expected[code]}
            told = {code: (ledger.get(code, 0), expected[code]) for code in sorted(wrong)}
            raise world.violated("the ledger agrees with the model (ledger, model)", told)
