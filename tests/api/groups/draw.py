"""Draws groups of requests of every kind from a seed."""

import random
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tests.api.groups.crowd import NEWCOMERS, PAID_ONLY, PAYERS, Crowd
from tests.api.groups.model import Model
from tests.api.groups.request import Asked


@dataclass
class Draw:
    """Draws groups. `past` are requests that were made before, whose keys may be used again; the model is read only to
    draw what may be refunded or ended, and what is about as much as there is.
    """

    chance: random.Random
    crowd: Crowd
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
        chance, crowd = self.chance, self.crowd
        who = chance.choice([*PAYERS, "shop"])
        to = "shop" if chance.random() < 0.4 else chance.choice([*PAYERS, *PAYERS, *PAID_ONLY, *NEWCOMERS])
        units, asset = self._money(who)
        tills = [name for name in crowd.capped if name != "the mandate"]
        asked = Asked(label, kind, who, crowd.keys[who], f"{label}-{chance.random()}", "/v1/payments", {})
        if kind == "too dear":
            units = str(abs(self.model.available.get((who, asset), Decimal(0)) * 3 // 4) + self._cents(asset, 1, 300))
        if kind in ("capped", "beyond the cap", "draw"):
            limit = "the mandate" if kind == "draw" else chance.choice(tills)
            of = crowd.capped[limit]
            maximum = of.once if kind == "capped" or chance.random() < 0.8 else of.once * 2
            units, asset = str(self._cents(of.asset, 1, int(maximum * 100))), of.asset
            if kind == "beyond the cap":
                units = str(of.once + self._cents(of.asset, 1, 50))
            asked = replace(asked, who=of.who, credential=of.credential, limit=limit)
        match kind:
            case "draw":
                return replace(asked, who="shop", path=f"/v1/mandates/{crowd.mandate}/draws", body={"amount": units})
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
                name = chance.choice([*crowd.bad])
                asked = replace(asked, who=f"somebody with {name}", credential=crowd.bad[name])
            case "frozen":
                asked, (units, asset) = replace(asked, who="fred", credential=crowd.keys["fred"]), ("1.00", "EUR")
            case "guarded" | "session":
                credential = crowd.keys["grace"] if kind == "guarded" else crowd.session
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

    def _cents(self, asset: str, minimum: int, maximum: int) -> Decimal:
        units = self.chance.randint(minimum, maximum)
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
        return replace(asked, who=who, credential=self.crowd.keys[who], path="/v1/payments/{}/refund", body=body, of=of)

    def _end(self, asked: Asked, kind: str) -> Asked:
        held = [
            label
            for label, one in self.model.payments.items()
            if one["state"] == "held" and one["asset"] != "USDX" and one["to"].removeprefix("@") in self.crowd.keys
        ][-6:]
        if not held:
            return replace(asked, path="/v1/payments/{}/" + kind, body={})
        of = self.chance.choice(held)
        one = self.model.payments[of]
        who = one["to" if kind == "capture" else "from"].removeprefix("@")
        some = kind == "capture" and one["asset"] != "JPY" and self.chance.random() < 0.4
        body = {"amount": "0.01"} if some else {}
        return replace(
            asked, who=who, credential=self.crowd.keys[who], path="/v1/payments/{}/" + kind, body=body, of=of
        )

    def _payroll(self, asked: Asked) -> Asked:
        """Many payments in one call. Whom it pays only gets: what they have is told by the numbers of their entries."""
        lines = [
            {"to": f"@{self.chance.choice(PAID_ONLY)}", "amount": str(self._cents("EUR", 1, 300)), "asset": "EUR"}
            for _ in range(self.chance.randint(1, 6))
        ]
        return replace(asked, who="pat", credential=self.crowd.keys["pat"], path="/v1/payments/batch", body=lines)


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
