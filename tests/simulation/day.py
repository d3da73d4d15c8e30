"""A day: people are given money, acts and faults come as the seed says, then the faults stop and all of it is reckoned.

found    people, their deposits and their first tokens; nothing goes wrong yet
live     so many payments are asked for, amid everything else; at every moment what must be true is looked at
settle   faults are over, an operator resumes what stopped, the workers go on until nothing is left to do
reckon   what everybody has, against the chain and against the acts
"""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.chain.errors import NodeUnavailable, RelayerNotResumable
from gateway.chain.relayer import nonce_conflicts
from gateway.money import Assets
from gateway.postgres.pool import Database
from tests.anvils import Chain
from tests.simulation.customers import Customers, customers
from tests.simulation.faults import Faults
from tests.simulation.invariants import Looks, Reckoning, in_between
from tests.simulation.outsiders import Outsiders
from tests.simulation.owners import Owners
from tests.simulation.staff import Hand, Staff
from tests.simulation.world import World, world

#: When the faults have stopped, everything has its end after so many rounds of all workers at most.
_ROUNDS_MAX = 60

#: And a worker who repeats a step has done all there is to do after so many times at most.
_REPEATS_MAX = 200

#: The ledger is reconciled with the chain at every so many steps.
_COMPARE_EVERY = 10

Act = Callable[[], Awaitable[object] | object]


@dataclass(frozen=True)
class Report:
    """What came of a day. `seen` counts what happened by kind, `ends` how many requests ended how."""

    seed: int
    payments: int  #: How many were accepted, but for holds and refunds.
    steps: int
    seen: Counter[str]
    ends: Counter[str]
    diary: list[str]
    digest: str  #: Of the diary and the newest block: the same for the same seed.

    @property
    def settled(self) -> int:
        return self.ends["payment settled"]

    @property
    def failed(self) -> int:
        return sum(count for end, count in self.ends.items() if end.startswith("payment failed: "))

    @property
    def expired(self) -> int:
        """Whose payers did not sign them."""
        return self.ends["payment expired"]


async def live_through(
    seed: int, payments: int, database: Database, spectator: Database, chain: Chain, assets: Assets
) -> Report:
    """Live through the day of this seed, in which so many payments are accepted. Raises Violation."""
    async with world(seed, database, spectator, chain, assets) as made, customers(made) as asking:
        return await Day(made, asking, payments).live()


class Day:
    def __init__(self, world: World, customers: Customers, payments: int) -> None:
        self.world, self.customers, self.payments = world, customers, payments
        self.looks = Looks(world)
        self.staff = Staff(world, self.looks.look)
        self.faults = Faults(world, self.staff, customers.view)
        self.outsiders = Outsiders(world)
        self.owners = Owners(world, customers)
        self.deposits: Counter[tuple[str, str]] = Counter()
        self.burst = max(5, payments // 50)

    async def live(self) -> Report:
        await self._found()
        acts, weights = zip(*self._acts(), strict=True)
        while await self._goes_on():
            self.world.step += 1
            (act,) = self.world.rng.choices(acts, weights)
            done = act()
            if isinstance(done, Awaitable):
                await done
            self.world.clock.ahead(self.world.rng.random() * 4)
            if self.world.step % _COMPARE_EVERY == 0:
                await self.looks.compare()
        await self._settle()
        reckoning = Reckoning(self.world, self.customers, self.outsiders, self.deposits)
        await reckoning.reckon()
        world = self.world
        ended = Counter({end: count for end, count in reckoning.ends.items() if end.startswith("payment ")})
        if ended.total() != self.payments:
            raise world.violated("each payment is settled or has failed", ended)
        said = "\n".join([*world.diary, world.chain.rpc("eth_getBlockByNumber", "latest", False)["hash"]])
        digest = hashlib.sha256(said.encode()).hexdigest()
        return Report(world.seed, self.payments, world.step, world.seen, reckoning.ends, world.diary, digest)

    def _acts(self) -> list[tuple[Act, float]]:
        """What may come next, and how likely it is."""
        customers, staff, faults = self.customers, self.staff, self.faults
        outsiders, owners = self.outsiders, self.owners
        return [
            (self._pay, 24),
            (self._hold, 3),
            (customers.end_a_hold, 3),
            (customers.convert, 5),
            (customers.refund, 4),
            (customers.repeat, 6),
            (customers.cut_off, 2),
            (owners.bind, 4),
            (owners.sign_late, 5),
            (owners.sign_again, 1),
            (owners.sign_wrongly, 1),
            (staff.some_step, 44),
            (staff.wake_somebody, 4),
            (faults.mine, 18),
            (faults.wait, 5),
            (faults.wait_long, 0.3 if self.payments < 1000 else 0.05),  # what waits then expires, however much it is
            (faults.reorganise, 3),
            (faults.drop, 2),
            (faults.node_goes, 1),
            (faults.node_comes, 5),
            (faults.swallow, 1),
            (faults.node_is_odd, 3),
            (faults.node_is_mended, 2),
            (faults.use_nonce, 0.7),
            (faults.dear, 0.8),
            (faults.dry, 1),
            (faults.fill, 1.5),
            (faults.pause, 2),
            (faults.freeze, 1.2),
            (self._resume, 1.5),
            (outsiders.send_in, 2),
            (outsiders.send_between, 1),
            (outsiders.relay_leaked, 2),
            (outsiders.spend, 1.5),
            (outsiders.spend_what_follows, 4),
            (outsiders.redeem, 0.6),
            (outsiders.cancel, 1),
            (outsiders.sign_another, 0.8),
            (outsiders.relay_oneself, 1),
        ]

    async def _goes_on(self) -> bool:
        """Whether there are payments to be made still: so many are to be accepted, whatever is refused beside."""
        if self.customers.payments() < self.payments:
            return True
        await self.customers.insist()
        return self.customers.payments() < self.payments

    async def _pay(self) -> None:
        rng = self.world.rng
        count = rng.randint(1, self.burst) if rng.random() < 0.3 else 1
        await self.owners.sign_at_once(await self.customers.pay(min(count, self.payments - self.customers.payments())))

    async def _hold(self) -> None:
        await self.customers.pay(1, capture=False)

    async def _resume(self) -> None:
        """An operator looks at relayers that have stopped, and resumes those that can go on."""
        world, town = self.world, self.world.town
        for row in await world.rows("SELECT address, chain_id FROM relayer WHERE stopped IS NOT NULL ORDER BY address"):
            world.seen["a relayer was found stopped"] += 1
            try:
                count = await nonce_conflicts.resumable(
                    town.database, world.node, row["chain_id"], row["address"], town.FINALITY
                )
            except (RelayerNotResumable, NodeUnavailable) as why:
                world.say(f"{row['address'][:8]} cannot be resumed yet: {why}")
                continue
            async with town.database.transaction() as connection:
                await nonce_conflicts.resume(connection, row["address"], count)
            world.saw("a relayer was resumed", row["address"][:8])

    # ---- before and after -------------------------------------------------------------------------------------------

    async def _found(self) -> None:
        """People with money, strangers whom they have paid, and a few with an address of their own."""
        world, customers = self.world, self.customers
        count = world.rng.randint(4, 8) if self.payments < 1000 else 40
        each = max(15_000, 500 * self.payments // count)
        people = [await customers.claim(f"person_{n}") for n in range(count)]
        for code in world.tokens:
            fiat = str(world.town.assets[code].backing)
            for one in people:
                body = {"amount": f"{2 * each}.00", "asset": fiat}
                deposit = await customers.new(one, "/v1/deposits", body)
                assert deposit.accepted, deposit
                self.deposits[one.handle, fiat] += 2 * each * 100
                await customers.new(one, "/v1/conversions", {"amount": f"{each}.00", "asset": fiat, "to_asset": code})
        await world.town.settle()
        for code in world.tokens:
            for stranger in world.strangers:
                body = {"to": stranger, "amount": "1000.00", "asset": code}
                await customers.new(world.rng.choice(people), "/v1/payments", body)
        await world.town.settle()
        for one in people:
            if world.rng.random() < 0.25:
                await self.owners.bind_one(one)
        await world.town.settle()
        self.staff.hire()

    async def _settle(self) -> None:
        """The faults stop; everybody goes on until nothing is left to do."""
        staff, world = self.staff, self.world
        while staff.sleepers:
            await staff.wake(staff.sleepers[0])
        self.faults.stop()
        await self.customers.insist()
        await self.owners.insist()
        for _ in range(_ROUNDS_MAX):
            world.step += 1
            await self._round()
            if not [what for what in await in_between(world) if not what.startswith(("payment", "money"))]:
                break
        else:
            raise world.violated("once the faults stop, everything has its end", await in_between(world))
        world.clock.ahead(world.town.settings.hold_seconds)
        await self._until_idle(staff.hands[0], "expire")
        await self._until_idle(staff.hands[0], "checkpoint")

    async def _round(self) -> None:
        staff, world = self.staff, self.world
        for hand in staff.hands:
            await self._until_idle(hand, "relay")
            await staff.work(hand, "resend", staff.calm())
        world.chain.mine(1 + world.town.FINALITY)
        await self._until_idle(staff.hands[0], "watch")
        await staff.work(staff.hands[0], "reconcile", staff.calm())
        await self._resume()
        sweeps = await world.rows("SELECT 1 FROM sweep WHERE state = 'waiting'")
        world.clock.ahead(601 if sweeps else 31)  # they are tried again after a while
        await self._until_idle(staff.hands[0], "expire")
        await self._until_idle(staff.hands[0], "sweep")

    async def _until_idle(self, hand: Hand, step: str) -> None:
        for _ in range(_REPEATS_MAX):
            if not await self.staff.work(hand, step, self.staff.calm()):
                return
        raise self.world.violated("a worker comes to an end of what there is to do", step)
