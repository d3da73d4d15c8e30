"""Wallets with caps, mandates and policies, whose payments count against limits."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from msgspec import structs

from gateway.audit.log import ANYONE
from gateway.identity import wallet as wallets
from gateway.identity.credential import Credential
from gateway.ids import new_id
from gateway.money import Money
from gateway.payments import draw
from gateway.payments.checks import caps, mandate, policy, spending
from gateway.payments.checks.caps import Cap
from gateway.payments.checks.mandate import NewMandate
from gateway.payments.model.payment import Payment
from gateway.payments.model.proposed import Counter
from gateway.payments.rails.ledger import LedgerPayment
from gateway.secret import hash_of
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown

DAY = timedelta(days=1)


class Street(LedgerTown):
    """alice, whose wallet is guarded, and who has granted bob a mandate and has a key with caps."""

    async def move_in(self, number: int) -> None:
        self.settings = replace(self.settings, hold_seconds=3600, approval_seconds=900)
        self.alice = await self.person(f"alice{number}", "900.00 EUR")
        self.bob = await self.person(f"bob{number}", "100.00 EUR")
        self.origin = new_id(self.now)
        eur = self.assets["EUR"]
        async with self.database.transaction() as connection:
            await connection.execute("UPDATE wallet SET guarded = true WHERE id = $1", self.alice.id)
            await connection.execute(
                "UPDATE policy SET since = $2, approve_new_payee = false WHERE wallet_id = $1",
                self.alice.id,
                NOW - 9 * DAY,
            )
            await connection.execute(
                "INSERT INTO api_key (id, hash, wallet_id, created_at, scopes, capped, approved)"
                " VALUES ($1, $4, $2, $3, '{pay}', true, true)",
                *(self.origin, self.alice.id, self.now, hash_of("key" + self.origin.hex)),
            )
            limits = [
                Cap("EUR", None, None, None, eur.parse("40.00")),
                Cap("EUR", None, self.bob.id, None, eur.parse("30.00")),
            ]
            await caps.give(connection, self.origin, [*limits, Cap("EUR", "ledger", None, eur.parse("25.00"), None)])
            wanted = NewMandate(self.bob, None, None, 2, eur.parse("30.00"), eur.parse("80.00"), None)
            plain = await wallets.by_id(connection, self.alice.id)
            self.mandate = await mandate.grant(
                connection, structs.replace(plain, guarded=False), wanted, None, ANYONE, self.now
            )
            await connection.execute("UPDATE mandate SET approved = true WHERE id = $1", self.mandate.id)
            self.alice = plain

    @property
    def key(self) -> Credential:
        return Credential("api_key", self.origin, self.alice, frozenset({"pay"}), capped_by=self.origin, approved=True)

    def by_key(self, *moneys: Money, to: str | None = None) -> list[LedgerPayment]:
        """Payments of bob or somebody else by the key, as settle_payments takes them."""
        key, handle = hash_of("key" + self.origin.hex), to or self.bob.handle
        return [LedgerPayment(key, f"{new_id(self.now)}", bytes(32), handle, money, None) for money in moneys]

    @property
    def counters(self) -> dict[str, tuple[Counter, Any]]:
        """Each limit's counter, and since when it counts now."""
        return {
            "cap": (Counter("cap", self.origin, "EUR", 1), self.now - DAY),
            "cap of bob": (Counter("cap", self.origin, "EUR", 2), self.now - DAY),
            "policy": (policy.day_of(self.alice.id, self.assets["EUR"]), self.now - DAY),
            "period": (Counter("mandate", self.mandate.id, "EUR"), self.now - 2 * DAY),
            "total": (Counter("mandate_total", self.mandate.id, "EUR"), None),
        }


async def units(street: Street, name: str) -> int:
    counter, since = street.counters[name]
    async with street.database.reading() as connection:
        return (await spending.spent(connection, {counter: since}))[counter].units


async def drawn(street: Street, text: str) -> Payment:
    async with street.database.transaction() as connection:
        return await draw.draw(connection, street.settings, street.bob, street.mandate.id, text, None, street.now)
