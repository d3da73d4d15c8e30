"""Those who move tokens without asking the gateway: strangers, and owners with the key of their own wallet.

Each hands the node a transaction of their own; whether it succeeds, or is in a block at all, the chain says in the end.
"""

from dataclasses import dataclass, field

from coincurve import PrivateKey
from eth_abi.abi import encode
from eth_hash.auto import keccak
from msgspec.structs import replace

from gateway.chain.token import authorization, eip3009
from gateway.chain.token.contract import Contract, as_int, balance_of_data
from gateway.chain.token.eip3009 import Authorization
from tests.simulation.world import FIRST, Person, World

_TRANSFER = keccak(b"transfer(address,uint256)")[:4]
_REDEEM = keccak(b"redeem(uint256)")[:4]
_BY_SIGNATURE = keccak(
    b"transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
)[:4]
_CANCEL = keccak(b"cancelAuthorization(address,bytes32,bytes)")[:4]
_CANCEL_TYPE = keccak(b"CancelAuthorization(address authorizer,bytes32 nonce)")


@dataclass
class Outsiders:
    """What they sent, by hash. An owner's authorization that another nonce of theirs was spent on is `another`."""

    world: World
    sent: set[str] = field(default_factory=set)

    def _send(self, kind: str, sender: str, to: str, data: bytes, **fields: object) -> None:
        hash_ = self.world.transact(sender, to, data, **fields)
        if hash_ is not None:
            self.sent.add(hash_)
            self.world.saw(kind, f"{sender[:8]} as {hash_[:10]}")

    def _transfer(self, kind: str, sender: str, receiver: str, code: str, units: int, **fields: object) -> None:
        data = _TRANSFER + encode(["address", "uint256"], [receiver, units])
        self._send(kind, sender, self.world.token_at(code), data, **fields)

    def _some(self, code: str, maximum: int) -> int:
        """Units of up to so many whole tokens."""
        return self.world.rng.randint(1, maximum * 10 ** self.world.town.assets[code].decimals)

    # ---- strangers --------------------------------------------------------------------------------------------------

    def send_in(self) -> None:
        rng, world = self.world.rng, self.world
        code = rng.choice(world.tokens)
        person = rng.choice(world.people)
        receiver = rng.choice([person.address, *person.before, *world.unbound])
        kind = "a stranger sent tokens in"
        if receiver in person.before:
            kind = "a stranger sent tokens to an address that was left"
        elif receiver != person.address:
            kind = "a stranger sent tokens to an address that is not bound yet"
        self._transfer(kind, rng.choice(world.strangers), receiver, code, self._some(code, 500))

    def send_between(self) -> None:
        rng, world = self.world.rng, self.world
        code, (one, other) = rng.choice(world.tokens), rng.sample(world.strangers, 2)
        self._transfer("strangers paid each other", one, other, code, self._some(code, 500))

    async def relay_leaked(self) -> None:
        """A stranger who saw signed authorizations on their way to the chain relays one on their own."""
        signed = await self._authorizations("signature IS NOT NULL")
        if signed:
            one = self.world.rng.choice(signed)
            assert one.signature is not None
            self._by_signature("a stranger relayed a leaked authorization", one)

    def _by_signature(self, kind: str, one: Authorization) -> None:
        stranger = self.world.rng.choice(self.world.strangers)
        types = ["address", "address", "uint256", "uint256", "uint256", "bytes32", "bytes"]
        nonce = one.nonce.to_bytes(32, "big")
        values = [one.from_address, one.to_address, one.value, 0, one.valid_before, nonce, one.signature]
        self._send(kind, stranger, self.world.token_at(one.asset), _BY_SIGNATURE + encode(types, values))

    async def _authorizations(self, which: str) -> list[Authorization]:
        """Those that wait for their end and that their payers signed, or will sign, or may."""
        rows = await self.world.rows(
            "SELECT * FROM token_authorization WHERE state IN ('unsigned', 'queued', 'submitted') AND kind <> 'mint' "
            f"AND {which} ORDER BY id"
        )
        return [authorization.from_row(row) for row in rows]

    # ---- owners with their own key ----------------------------------------------------------------------------------

    async def spend(self) -> None:
        """An owner moves what a wallet has, all or some, at best while a payment of theirs is on its way."""
        rng, world = self.world.rng, self.world
        waiting = {one.from_address for one in await self._authorizations("true")}
        owner = self._leaves([one for one in world.people if waiting & {*one.addresses}] or world.people)
        code = rng.choice(world.tokens)
        address = rng.choice([one for one in owner.addresses if one in waiting] or owner.addresses)
        answer = await world.node.call(world.token_at(code), balance_of_data(address), "latest")
        if have := as_int(answer):
            units = rng.choice([have, have, rng.randint(1, have)])
            self._transfer("an owner emptied their address", address, rng.choice(world.strangers), code, units)

    async def spend_what_follows(self) -> None:
        """An owner spends what is on its way from the address that they left, and pays for being first in the block."""
        following = await self._authorizations("kind = 'sweep'")
        if following:
            one, stranger = self.world.rng.choice(following), self.world.rng.choice(self.world.strangers)
            self._leaves([self._owner(one)])
            kind = "an owner emptied the address that they left"
            self._transfer(kind, one.from_address, stranger, one.asset, one.value, **FIRST)

    async def redeem(self) -> None:
        """An owner redeems at the contract itself."""
        code = self.world.rng.choice(self.world.tokens)
        owner = self._leaves(self.world.people)
        data = _REDEEM + encode(["uint256"], [self._some(code, 500)])
        self._send("an owner redeemed at the contract", owner.address, self.world.token_at(code), data)

    async def cancel(self) -> None:
        """An owner cancels an authorization that is on its way."""
        waiting = await self._authorizations("true")
        if waiting:
            one = self.world.rng.choice(waiting)
            nonce = one.nonce.to_bytes(32, "big")
            word = self.world.address_word(one.from_address)
            signature = self._sign(one, keccak(_CANCEL_TYPE + word + nonce))
            data = _CANCEL + encode(["address", "bytes32", "bytes"], [one.from_address, nonce, signature])
            stranger = self.world.rng.choice(self.world.strangers)
            self._send("an owner cancelled a payment", stranger, self.world.token_at(one.asset), data)

    async def relay_oneself(self) -> None:
        """An owner signs what they are to sign, and has a stranger relay it without handing it in."""
        unsigned = await self._authorizations("state = 'unsigned'")
        if unsigned:
            one = self.world.rng.choice(unsigned)
            self._leaves([self._owner(one)])
            digest = eip3009.digest(self._contract(one), one)
            signature = self._sign_digest(self.world.vault.known[one.from_address], digest)
            self._by_signature("an owner relayed a payment of theirs", replace(one, signature=signature))

    async def sign_another(self) -> None:
        """An owner signs another message with the nonce of a payment that is on its way, and has it relayed."""
        waiting = await self._authorizations("kind = 'transfer'")
        if waiting:
            old = self.world.rng.choice(waiting)
            self._leaves([self._owner(old)])
            other = replace(old, to_address=self.world.rng.choice(self.world.strangers), value=1)
            digest = eip3009.digest(self._contract(other), other)
            signature = self._sign_digest(self.world.vault.known[other.from_address], digest)
            self._by_signature("an owner signed another message", replace(other, signature=signature))

    def _leaves(self, owners: list[Person]) -> Person:
        owner = self.world.rng.choice(owners)
        owner.left = True
        for address in owner.addresses:
            self.world.chain.rpc("anvil_setBalance", address, hex(10**18))
        return owner

    def _owner(self, one: Authorization) -> Person:
        """Who gives; somebody who has not heard yet that their own address is bound has it all the same."""
        owner = self.world.owner_of(one.from_address)
        at = one.from_address
        return owner or next(who for who in self.world.people if who.own is not None and who.own.address == at)

    def _contract(self, one: Authorization) -> Contract:
        return self.world.town.settings.contracts[one.asset]

    def _sign(self, one: Authorization, said: bytes) -> bytes:
        digest = keccak(b"\x19\x01" + eip3009.domain_separator(self._contract(one)) + said)
        return self._sign_digest(self.world.vault.known[one.from_address], digest)

    def _sign_digest(self, key: PrivateKey, digest: bytes) -> bytes:
        signature = key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])
