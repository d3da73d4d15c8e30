"""A small model of the crowd: what each has, and what keys, caps and mandates leave them."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.api.groups.crowd import Crowd
from tests.api.groups.request import Answer, Asked
from tests.api.groups.world import World

#: Refusals for which no key is looked up.
_BEFORE_THE_KEY = {"unauthenticated", "forbidden", "invalid_amount", "amount_too_precise"}


@dataclass
class Model:
    """What is so of the crowd at one moment, as far as an answer depends on it: from answers, but for the start."""

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


async def model_of(crowd: Crowd, world: World) -> Model:
    """The crowd as it is before anything is asked."""
    available = {
        (who, asset): Decimal(balance["available"])
        for who, balances in (await world.wallets()).items()
        for asset, balance in balances.items()
    }
    once = {name: of.once for name, of in crowd.capped.items()}
    return Model(available, once, {name: of.left for name, of in crowd.capped.items()})
