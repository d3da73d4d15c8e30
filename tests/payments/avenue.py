"""A guarded wallet whose owner has signed in, and what its payments write."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, get_args

from gateway.identity import wallet as wallets
from gateway.identity.sign_in import session
from gateway.identity.sign_in.session import LASTS
from gateway.identity.wallet import Wallet
from gateway.ids import PaymentId, TransferId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Money
from gateway.payments.checks.policy import DAY
from gateway.payments.model.route import RailName
from gateway.payments.rails import chain as chain_rail
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.chain import TokenPayment
from gateway.payments.rails.hold import HeldFirst
from gateway.payments.rails.ledger import HeldPayment, LedgerPayment
from gateway.secret import hash_of
from tests.api.conftest import contracts
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown
from tests.payments.test_settle_payments import WRITTEN

TICK, MINUTE, HOUR = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1)

#: What counts, and whom the payer has paid, beside what every payment writes.
COUNTED = {
    "counted": "SELECT scope, scope_id, number, asset, bucket, at, amount FROM counted_payment ORDER BY at, amount",
    "spending": "SELECT * FROM spending ORDER BY bucket",
    "known": "SELECT * FROM known_payee ORDER BY payee",
}


#: Everything that a payment writes whose money is held first, but for its key, its ids, and the numbers of events.
HELD = {
    "payment": """SELECT state, rail, payer, payee, payee_address, asset, amount, fee, memo, route::text,
        transfer_id = id AS own_transfer, authorization_id = id AS own_authorization, created_at, expires_at, approval,
        capture, undo_until, hidden_from_payee FROM staged_payment ORDER BY created_at, amount""",
    "hold": "SELECT state, debit_id, credit_id, amount, purpose, leg, created_at FROM hold ORDER BY created_at, amount",
    "account": WRITTEN["account"],
    "authorization": """SELECT kind, asset, from_address, to_address, value, nonce, valid_before, state, signed_by
        FROM token_authorization ORDER BY nonce""",
    "event": WRITTEN["event"],
}

#: What a payment becomes, the asset that it is of, what it writes, and the statement.
WAYS: dict[str, tuple[str, Any, Any]] = {
    "settled": ("EUR", WRITTEN, ledger_rail.pay_in),
    "held": ("EUR", HELD, ledger_rail.hold_in),
    "queued": ("USDX", HELD, chain_rail.pay_in),
}

RAILS: tuple[RailName, ...] = get_args(RailName)

KNOW = "INSERT INTO known_payee (wallet_id, payee, first_paid_at) VALUES ($1, $2, $3)"


@dataclass
class Signed:
    """Somebody with a session: what they show."""

    wallet: Wallet
    token: str


class Avenue(LedgerTown):
    """alice, whose wallet is guarded and who has signed in, and bob, whom she has paid before."""

    async def move_in(self) -> None:
        self.now = NOW - 9 * DAY
        self.settings = replace(self.settings, contracts=contracts(self.assets))
        self.bob, self.carol = await self.person("bob", "9.00 EUR"), await self.person("carol", "9.00 EUR")
        self.alice = await self.signed_in("alice")
        await self.has_tokens(self.bob, "9 USDX")
        await self.has_tokens(self.alice.wallet, "900 USDX")
        self.now = NOW

    async def has_tokens(self, owner: Wallet, text: str) -> None:
        usdx, id = self.assets["USDX"], TransferId(new_id(self.now))
        codes = account.system_account("supply", usdx), account.wallet(owner.handle, usdx)
        async with self.database.transaction() as connection:
            ids = await ledger.accounts(connection, [(code, usdx) for code in codes])
            leg = Leg(*(ids[code] for code in codes), self.money(text).units)
            await ledger.post(connection, [Transfer(id, "observation", id, (leg,), unconditional=True)], self.now)

    async def signed_in(self, handle: str, passkey_at: datetime | None = NOW - 9 * DAY, frozen: bool = False) -> Signed:
        """A guarded wallet nine days old, which has paid bob, and a session of a minute ago by its passkey, or without
        one. It may have been frozen before it was guarded.
        """
        wallet = await self.person(handle, "900.00 EUR")
        passkey, token = new_id(self.now), f"gs_{handle}"
        if frozen:
            await self.change("UPDATE wallet SET frozen_at = $2 WHERE id = $1", wallet.id, NOW)
        async with self.database.transaction() as connection:
            await wallets.guard(connection, wallet.id)
            await connection.execute("UPDATE policy SET since = $2 WHERE wallet_id = $1", wallet.id, NOW - 9 * DAY)
            await connection.execute(
                "INSERT INTO passkey (id, wallet_id, credential_id, public_key, sign_count, backed_up, name,"
                " created_at) VALUES ($1, $2, $3, '\\x01', 0, false, 'laptop', $4)",
                *(passkey, wallet.id, passkey.bytes, passkey_at or NOW),
            )
            await connection.execute(KNOW, wallet.id, self.bob.id, NOW - 8 * DAY)
            started = NOW - MINUTE
            id = new_id(started)
            by = ("passkey", passkey) if passkey_at else ("ethereum", None)
            begun = (id, wallet.id, *by, "Firefox", started, started + LASTS)
            await connection.execute(session.sql.start_session, *begun)
            await connection.execute(session.sql.add_token, hash_of(token), id, started)
        return Signed(wallet, token)

    def asked(self, *texts: str, by: Signed | None = None, to: str = "bob") -> list[LedgerPayment]:
        token = hash_of((by or self.alice).token)
        return [
            LedgerPayment(token, f"{new_id(self.now)}", b"f" * 32, to, self.money(text), "tea", of_session=True)
            for text in texts
        ]

    def first(self, way: str, units: int, by: Signed | None = None) -> HeldFirst | LedgerPayment:
        """A payment of so many hundredths that becomes this, as its statement takes it."""
        token, id, asset = hash_of((by or self.alice).token), PaymentId(new_id(self.now)), self.assets[WAYS[way][0]]
        shown = (token, f"{id}", b"f" * 32, "bob", Money(units * 10 ** (asset.decimals - 2), asset), "tea")
        if way == "settled":
            return LedgerPayment(*shown, True)
        return (HeldPayment if way == "held" else TokenPayment)(*shown, id, True)

    async def pays(self, *texts: str, by: Signed | None = None, to: str = "bob", **more: Any) -> list[type]:
        done = await ledger_rail.pay_all(
            self.database, self.settings, self.asked(*texts, by=by, to=to), self.now, **more
        )
        return [type(one) for one in done]

    async def change(self, statement: str, *values: object) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(statement, *values)
