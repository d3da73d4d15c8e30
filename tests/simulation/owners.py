"""People with a key of their own: they bind its address to their wallet, and sign what they pay with it.

They sign at once, late, twice, with a wrong key, or never. Their wallet is a plain one (eth-account): it signs what the
gateway's answer says is to be signed.
"""

from dataclasses import dataclass, field
from typing import Any

from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from tests.simulation.customers import Asked, Customers
from tests.simulation.world import Person, World

#: Who insists hears whether their address is bound after so many times at the latest.
_TIMES_MAX = 20


@dataclass
class Owners:
    world: World
    customers: Customers
    #: What was signed to bind an address, by handle, while nobody knows whether it is bound.
    unknown: dict[str, dict[str, str]] = field(default_factory=dict)
    never: set[str] = field(default_factory=set)  #: Payments that nobody will sign, or can any more.
    signed: dict[str, tuple[Person, str]] = field(default_factory=dict)  #: Signatures that were taken, by payment.

    # ---- binding ----------------------------------------------------------------------------------------------------

    async def bind(self) -> None:
        """Somebody binds an address of their own, for the first time or again: what was refused, or never answered."""
        still = [one for one in self.world.people if not one.before]
        trying = [one for one in still if one.own is not None]
        if still:
            person = self.world.rng.choice(trying or still)
            await self.bind_one(person)
            if person.before:
                self.world.seen["an address was bound amid faults"] += 1

    async def bind_one(self, person: Person) -> None:
        world, customers = self.world, self.customers
        if person.own is None:
            person.own = world.vault.own_key()
        if person.handle not in self.unknown:
            body = {"address": person.own.address}
            status, answer = await customers.post(person, "/v1/wallet/address/challenge", body)
            if status >= 500:
                return
            if status != 201:
                raise world.violated("who has a key of their own is told what to sign", answer)
            text = answer["message"]
            signature = _hex(person.own.sign_message(encode_defunct(text=text)).signature)
            self.unknown[person.handle] = {"message": text, "signature": signature}
        status, answer = await customers.post(person, "/v1/wallet/address", self.unknown[person.handle])
        if status >= 500:
            world.saw("nobody knows whether an address is bound", f"@{person.handle}")
            return
        del self.unknown[person.handle]
        if status >= 400:
            world.saw(f"a binding was refused: {answer['code']}", f"@{person.handle}")
            return
        if answer["address"] != person.own.address:
            raise world.violated("what is bound is what was signed", answer)
        person.moves_to(person.own.address)
        world.saw("an address was bound", f"@{person.handle} {person.address[:8]}")

    async def insist(self) -> None:
        """Whoever does not know whether their address is bound asks until they do."""
        for _ in range(_TIMES_MAX):
            for person in [one for one in self.world.people if one.handle in self.unknown]:
                await self.bind_one(person)
        if self.unknown:
            raise self.world.violated("who insists is answered", self.unknown)

    # ---- signing ----------------------------------------------------------------------------------------------------

    async def sign_at_once(self, fresh: list[Asked]) -> None:
        """Most sign what they have just asked for; some do so later, and some never."""
        for asked in fresh:
            if asked.accepted and _waits(asked):
                chance = self.world.rng.random()
                if chance < 0.6:
                    await self._hand_in(asked, "a payment was signed at once")
                elif chance > 0.85:
                    self.never.add(asked.id)

    async def sign_late(self) -> None:
        if waiting := self._waiting():
            await self._hand_in(self.world.rng.choice(waiting), "a payment was signed late")

    async def sign_again(self) -> None:
        """The same signature again is answered with the payment as it is, whatever became of it."""
        if self.signed:
            id = self.world.rng.choice(list(self.signed))
            person, signature = self.signed[id]
            status, answer = await self._post(person, id, signature)
            if status < 500:
                self.world.saw("a payment was signed twice", id)
                if status != 200:
                    raise self.world.violated("a signature that was taken is taken again", answer)

    async def sign_wrongly(self) -> None:
        """Somebody submits what another key has signed."""
        if waiting := self._waiting():
            asked = self.world.rng.choice(waiting)
            status, answer = await self._post(asked.person, asked.id, _signature(self.world.vault.own_key(), asked))
            if status < 500:
                self.world.saw("a wrong signature was refused", asked.key)
                if (status, answer["code"]) != (422, "invalid_signature"):
                    raise self.world.violated("a signature of another key is refused", answer)

    async def _hand_in(self, asked: Asked, kind: str) -> None:
        assert asked.person.own is not None
        signature = _signature(asked.person.own, asked)
        status, answer = await self._post(asked.person, asked.id, signature)
        if status >= 500:
            return  # they sign it again, later
        if status < 300:
            self.signed[asked.id] = asked.person, signature
            self.world.saw(kind if asked.kind == "payment" else f"a {asked.kind} was signed", asked.key)
        elif answer["code"] == "state_conflict":
            self.never.add(asked.id)  # its time is over, or it has its end without this
            self.world.saw("a signature came too late", asked.key)
        else:
            raise self.world.violated("a right signature is taken", answer)

    async def _post(self, person: Person, id: str, signature: str) -> tuple[int, Any]:
        return await self.customers.post(person, f"/v1/payments/{id}/signature", {"signature": signature})

    def _waiting(self) -> list[Asked]:
        """What waits for its payer's signature, as far as they know: refunds as well."""
        return [
            one
            for one in self.customers.asked
            if one.accepted and _waits(one) and one.id not in self.signed and one.id not in self.never
        ]


def _waits(asked: Asked) -> bool:
    return bool(asked.answer.get("state") == "requires_confirmation")


def _signature(key: LocalAccount, asked: Asked) -> str:
    return _hex(key.sign_typed_data(full_message=asked.answer["to_sign"]).signature)


def _hex(signature: Any) -> str:
    return "0x" + bytes(signature).hex()
