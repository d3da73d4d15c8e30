"""What befalls the chain, its node and the relayers. Each fault passes, or is put right when the day is over.

A block is undone only above the final one: under the day's finality nothing else can happen.
"""

from dataclasses import dataclass, field

from gateway.chain.token.contract import selector
from tests.other_node import REFUSALS
from tests.simulation.staff import Staff
from tests.simulation.view import View
from tests.simulation.world import FIRST, World

ETHER = 10**18

#: What a relayer has to spend on gas ordinarily.
_PLENTY = 10_000 * ETHER

_FREEZE, _UNFREEZE = selector("freeze"), selector("unfreeze")


@dataclass
class Faults:
    world: World
    staff: Staff
    gateway: View  #: The gateway's node.
    frozen: set[tuple[str, str]] = field(default_factory=set)  #: Who was frozen, by code and address.
    highest: int = 0  #: The highest block that there has been, which says what was final.

    # ---- the chain --------------------------------------------------------------------------------------------------

    def mine(self) -> None:
        blocks = self.world.rng.choice([1, 1, 1, 2, 3])
        self.world.chain.mine(blocks)
        self.world.say(f"mined up to block {self.world.chain.head()}")

    def wait(self) -> None:
        """Time passes and nothing is mined."""
        seconds = self.world.rng.choice([1, 5, 31, 61, 301])
        self.world.clock.ahead(seconds)
        self.world.say(f"{seconds} s pass")

    def wait_long(self) -> None:
        """Longer than an authorization is good for."""
        self.world.clock.ahead(self.world.town.settings.authorization_seconds + 1)
        self.world.saw("an hour passed")

    def reorganise(self) -> None:
        """Blocks above the final one are replaced; what was in them is in the new ones, or in the pool, or nowhere."""
        rng, chain = self.world.rng, self.world.chain
        head = chain.head()
        self.highest = max(self.highest, head)
        deepest = head - (self.highest - self.world.town.FINALITY)
        if deepest < 1:
            return  # the last one left nothing above what was final before it
        depth = rng.randint(1, deepest)
        raws = [raw for n in range(head - depth + 1, head + 1) for raw in self._raws(n)]
        chain.rpc("anvil_rollback", depth)
        kept = [raw for raw in raws if rng.random() < 0.5 and self._hand(raw)]
        mined = rng.randint(0, depth + 1)
        chain.mine(mined)
        self.world.saw("reorganised", f"{depth} blocks from {head}, {len(raws)} transactions, {len(kept)} kept")
        if raws:
            self.world.seen["reorganised with transactions"] += 1

    def _raws(self, number: int) -> list[str]:
        block = self.world.chain.rpc("eth_getBlockByNumber", hex(number), False)
        return [self.world.chain.rpc("eth_getRawTransactionByHash", one) for one in block["transactions"]]

    def _hand(self, raw: str) -> bool:
        """Put it into the pool again, if the node takes it: what it signed itself for an outsider it does not."""
        try:
            self.world.chain.rpc("eth_sendRawTransaction", raw)
        except AssertionError:
            return False
        return True

    def drop(self) -> None:
        """The node forgets one transaction of its pool, or all."""
        rng, chain = self.world.rng, self.world.chain
        pool = chain.rpc("txpool_content")
        waiting = sorted(one["hash"] for part in pool.values() for of in part.values() for one in of.values())
        if not waiting:
            return
        if rng.random() < 0.3:
            chain.rpc("anvil_dropAllTransactions")
        else:
            chain.rpc("anvil_dropTransaction", rng.choice(waiting))
        self.world.saw("dropped", f"of {len(waiting)}")

    # ---- the node ---------------------------------------------------------------------------------------------------

    def _views(self) -> list[tuple[str, View]]:
        """Who asks a node, and as they see it."""
        return [*((hand.name, hand.view) for hand in self.staff.hands), ("the gateway", self.gateway)]

    def node_goes(self) -> None:
        _, view = self.world.rng.choice(self._views())
        if not view.away:
            view.away = True
            self.world.saw("a node went away")

    def node_comes(self) -> None:
        """A node that was away is back, now and then behind the others; one that was behind has caught up."""
        for name, view in self._views():
            if view.away:
                view.away, view.behind = False, self.world.rng.choice([0, 1, 2, 5])
                self.world.saw("a node came back", f"{name}, {view.behind} blocks behind")
                if view.behind:
                    self.world.seen["a node came back behind"] += 1
            elif view.behind:
                view.behind = 0
                self.world.say(f"the node of {name} has caught up")

    def swallow(self) -> None:
        """A node takes the next transaction that it is sent, and forgets it."""
        self.world.rng.choice(self.staff.hands).view.swallow = True
        self.world.saw("a node forgets what it is sent next")

    def node_is_odd(self) -> None:
        """The node of one worker answers as other nodes do, until it is mended."""
        rng, other = self.world.rng, self.world.other
        if not other.passes_on:
            return
        behind = self.world.town.FINALITY + rng.randint(0, 2)
        odd: dict[str, object] = rng.choice(
            [
                *({"lags": [0, 0, behind], "unknown": unknown} for unknown in ("empty", "error")),
                *({"pruned": 1 + rng.randint(0, 2)}, {"indexing": True}, {"late_receipts": True}),
                *({"batch_most": rng.choice([1, 3, 10])}, {"range_most": 2}, {"status": 429}),
                *({"refusal": words} for words in rng.sample(sorted(REFUSALS.values()), 2)),
            ]
        )
        other.passes_on = False
        for name, value in odd.items():
            setattr(other, name, value)
        self.world.saw(f"another node: {next(iter(odd))}", str(odd))

    def node_is_mended(self) -> None:
        if not self.world.other.passes_on:
            self.world.other.calm()
            self.world.other.passes_on = True
            self.world.say("the other node is as ours again")

    # ---- relayers ----------------------------------------------------------------------------------------------------

    def use_nonce(self) -> None:
        """Somebody else signs with a relayer's key: its next nonce, or one of a transaction that waits in the pool."""
        rng, world = self.world.rng, self.world
        relayer = rng.choice(world.town.signers).address
        nonce = int(world.chain.rpc("eth_getTransactionCount", relayer, "latest"), 16)
        pool = world.chain.rpc("txpool_content")
        ours = [one["hash"] for part in pool.values() for of in part.values() for one in of.values()
                if one["from"].lower() == relayer.lower()]  # fmt: skip
        for hash_ in ours:
            world.chain.rpc("anvil_dropTransaction", hash_)
        if world.transact(relayer, relayer, b"", nonce=hex(nonce)):
            world.saw("a relayer's nonce was used by others", f"{relayer[:8]} nonce {nonce}")
        world.chain.mine()

    def dear(self) -> None:
        """Gas gets dear: what was offered before is in no block for some time."""
        gwei = self.world.rng.choice([20, 90, 400])
        self.world.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * 10**9))
        self.world.chain.mine()
        self.world.saw("gas got dear", f"{gwei} gwei")

    def dry(self) -> None:
        relayer = self.world.rng.choice(self.world.town.signers).address
        self.world.chain.rpc("anvil_setBalance", relayer, hex(self.world.rng.choice([0, ETHER // 10_000])))
        self.world.saw("a relayer ran dry", relayer[:8])

    def fill(self) -> None:
        for signer in self.world.town.signers:
            if int(self.world.chain.rpc("eth_getBalance", signer.address, "latest"), 16) < ETHER:
                self.world.chain.rpc("anvil_setBalance", signer.address, hex(_PLENTY))
                self.world.saw("a relayer was filled", signer.address[:8])

    # ---- the contract -----------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Pause a token, or let it go on again. It stands for some time, as the chain has it."""
        rng = self.world.rng
        code, verb = rng.choice(self.world.tokens), rng.choice(["pause", "unpause", "unpause"])
        self._guard(selector(verb), code)
        if verb == "pause":
            self.world.saw("a token was paused", code)

    def freeze(self) -> None:
        """Freeze somebody, or let them go."""
        rng = self.world.rng
        code, verb = rng.choice(self.world.tokens), rng.choice([_FREEZE, _UNFREEZE])
        address = rng.choice(rng.choice(self.world.people).addresses)
        self._guard(verb + self.world.address_word(address), code)
        if verb == _FREEZE:
            self.frozen.add((code, address))
            self.world.saw("somebody was frozen", f"{address[:8]} {code}")

    def _guard(self, data: bytes, code: str) -> None:
        """The guard is first in the block, so that what is in the pool meets it there: a batch reverts, say."""
        self.world.transact(self.world.guard, self.world.token_at(code), data, **FIRST)

    # ---- the end ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """All faults are over: nodes answer, relayers have money, tokens move, nobody is frozen, gas is cheap."""
        world = self.world
        for _, view in self._views():
            view.away, view.behind, view.swallow = False, 0, False
        self.node_is_mended()
        world.chain.rpc("anvil_dropAllTransactions")
        for signer in world.town.signers:
            world.chain.rpc("anvil_setBalance", signer.address, hex(_PLENTY))
        world.chain.rpc("anvil_setBalance", world.guard, hex(_PLENTY))
        world.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        for code in world.tokens:
            self._guard(selector("unpause"), code)
        for code, address in sorted(self.frozen):
            self._guard(_UNFREEZE + world.address_word(address), code)
        world.chain.mine()
        world.say("all faults are over")
