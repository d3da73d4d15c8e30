"""Things that tests make: wallets with money, a gateway around one database and one chain.

Here and nowhere else, so that a test says what it is about and no more.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from eth_hash.auto import keccak

from gateway.address import to_bytes
from gateway.assembly import report_links
from gateway.audit.log import ANYONE
from gateway.bank import movements
from gateway.bank.movements import BankRequest
from gateway.chain.block import Receipt
from gateway.chain.deployment import deploy, roles
from gateway.chain.node import Node
from gateway.chain.relayer import relayers
from gateway.chain.token.contract import as_int, balance_of_data, selector
from gateway.clock import Clock, system_clock
from gateway.custody import bind
from gateway.custody.settle_sweeps import Sweeps
from gateway.errors import GatewayError
from gateway.identity import wallet as wallets
from gateway.identity.wallet import Wallet
from gateway.keys.signer import LOCAL_RELAYER_KEY, RelayerSigner, Signer, TransactionFields
from gateway.keys.vault import Vault
from gateway.ledger import account, ledger, recount
from gateway.ledger.account import Balance
from gateway.money import Assets, Money, at_par_exact
from gateway.notifications.notifier import Notifier
from gateway.outbound.allowed import Allowed
from gateway.payments import convert, pay, payees, rails, settles
from gateway.payments.ends import capture_void, refund
from gateway.payments.ends.capture_void import EndRequest
from gateway.payments.model.conversion import Conversion
from gateway.payments.model.payment import Payment
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.own_key import sign
from gateway.payments.pay import PayRequest
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Database
from gateway.reconciliation import solvency
from gateway.reconciliation.monitor import Schedule
from gateway.settlement import gas
from gateway.webhooks.dispatcher import Dispatcher
from gateway.webhooks.sender import Sender
from gateway.worker import jobs
from gateway.worker.block_time import BlockTime
from gateway.worker.worker import Worker
from tests.anvils import Chain

#: A time for tests that need one and do not care which.
NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)


async def _shows_nothing(*_: object) -> list[bytes]:
    """In a town nobody has webhooks: tests/webhooks has its own."""
    raise AssertionError


class Town:
    """A gateway around one database and one chain, and the people in it. Its worker does a step when it is told to.

    Money is said as "12.50 EUR". A block is final when one more stands on top of it.
    """

    FINALITY = 1

    def __init__(self, database: Database, chain: Chain, node: Node, assets: Assets, vault: Vault) -> None:
        self.database = database
        self.chain = chain
        self.node = node
        self.assets = assets
        self.vault = vault
        self.signer = RelayerSigner(LOCAL_RELAYER_KEY)
        self.signers: tuple[Signer, ...] = (self.signer,)
        self.clock: Clock = system_clock
        self.settings = PaymentSettings(
            assets,
            {},
            0,
            7 * 86_400,
            3600,
            1.0,
            rails=rails.RAILS,
            payees=payees.RESOLVERS,
            settles=(*settles.KINDS, Sweeps(3600)),
        )

    async def deploy(self) -> None:
        """Deploy the tokens' contracts, mining as needed."""

        async def mine() -> None:
            self.chain.mine()

        async def conclude(connection: Connection, receipts: Iterable[Receipt], now: datetime) -> None:
            await gas.conclude(connection, self.assets, receipts, now)

        contracts = await deploy.deploy(
            self.database,
            self.node,
            self.signer,
            self.assets,
            self.FINALITY,
            self.clock,
            pause=mine,
            conclude=conclude,
        )
        self.settings = replace(self.settings, contracts=contracts)
        await roles.grant(self.database, self.node, self.signers, contracts.values(), self.clock)
        self.chain.mine()

    def money(self, text: str) -> Money:
        amount, _, code = text.partition(" ")
        return self.assets[code].parse(amount)

    # ---- people -----------------------------------------------------------------------------------------------------

    async def person(self, handle: str, *moneys: str) -> Wallet:
        """A new wallet with this much money; tokens are bought, settled and final."""
        async with self.database.transaction() as connection:
            wallet, _ = await wallets.claim(connection, self.vault, handle, self.clock())
        for text in moneys:
            await self.give(wallet, text)
        return wallet

    async def give(self, wallet: Wallet, text: str) -> None:
        money = self.money(text)
        fiat = money.asset if money.asset.kind == "fiat" else self.settings.backing(money.asset)
        paid_in = at_par_exact(money, fiat)
        async with self.database.transaction() as connection:
            deposit = BankRequest("deposit", wallet, paid_in)
            await movements.settle_all(connection, self.assets, [deposit], self.clock())
            if fiat != money.asset:
                await convert.convert(connection, self.settings, wallet, paid_in, money.asset, self.clock())
        if fiat != money.asset:
            await self.settle()

    async def pay(self, payer: Wallet, to: str, text: str, **fields: Any) -> Payment:
        request = PayRequest(to, self.money(text), **fields)
        async with self.database.transaction() as connection:
            return await pay.pay(connection, self.settings, payer, request, self.clock())

    async def convert(self, owner: Wallet, text: str, into: str) -> Conversion:
        async with self.database.transaction() as connection:
            return await convert.convert(
                connection, self.settings, owner, self.money(text), self.assets[into], self.clock()
            )

    async def capture(self, caller: Wallet, payment: Payment, text: str | None = None) -> Payment:
        amount = self.money(text).amount if text else None
        return await self._end(EndRequest("capture", payment.id, caller.id, amount))

    async def void(self, caller: Wallet, payment: Payment) -> Payment:
        return await self._end(EndRequest("void", payment.id, caller.id))

    async def _end(self, asked: EndRequest) -> Payment:
        async with self.database.transaction() as connection:
            (ended,) = await capture_void.end_all(connection, self.settings, [asked], self.clock())
            if isinstance(ended, GatewayError):
                raise ended
            assert isinstance(ended, Payment)
            return ended

    async def refund(self, caller: Wallet, payment: Payment, text: str | None = None) -> Payment:
        asked = refund.Refund(caller, payment.id, text and text.split()[0])
        async with self.database.transaction() as connection:
            return await refund.refund(connection, self.settings, asked, self.clock())

    # ---- keys of their own ------------------------------------------------------------------------------------------

    async def challenge(self, of: Wallet, address: str) -> str:
        """The text that binds `address` to the wallet, once it is signed."""
        async with self.database.transaction() as connection:
            return (
                await bind.create_challenge(connection, self.settings, of, address, "http://gateway.test", self.clock())
            ).text()

    async def bind(self, of: Wallet, key: LocalAccount, at: str | None = None) -> Wallet:
        """The wallet, bound to the key's own address, or to a contract that takes what the key signs."""
        text = await self.challenge(of, at or key.address)
        signed = bytes(key.sign_message(encode_defunct(text=text)).signature)
        return await bind.bind(self.database, self.node, self.settings, of, text, signed, ANYONE, self.clock())

    async def to_sign(self, payment: Payment) -> dict[str, Any]:
        """The typed data that the payer's own key is to sign."""
        async with self.database.reading() as connection:
            asked = await sign.to_sign(connection, self.settings, payment)
        assert asked is not None
        return asked

    async def sign(self, payment: Payment, key: LocalAccount) -> Payment:
        """The payment, signed with a key as any wallet signs typed data, and submitted."""
        signed = bytes(key.sign_typed_data(full_message=await self.to_sign(payment)).signature)
        return await self.hand_in(payment, signed)

    async def hand_in(self, payment: Payment, signed: bytes) -> Payment:
        return await sign.sign(self.database, self.node, self.settings, payment.payer, payment.id, signed, self.clock())

    # ---- the worker, a step at a time -------------------------------------------------------------------------------

    def worker(self, node: Node | None = None) -> Worker:
        """One of its own for each call, that looks after every relayer whenever it is told to."""
        always, sender = timedelta(0), Sender(Allowed(), self.clock, threads=1)
        return Worker(
            database=self.database,
            node=node or self.node,
            settings=self.settings,
            vault=self.vault,
            signers=self.signers,
            finality=self.FINALITY,
            clock=self.clock,
            resend_every=always,
            gas_every=always,
            schedule=Schedule(again_after=always),
            block_time=BlockTime(always=True),
            webhooks=Dispatcher(self.database, self.vault, self.clock, _shows_nothing, sender),
            notifications=Notifier(
                *(self.database, self.vault, self.clock, ()),
                *(report_links(self.settings, self.clock), "http://127.0.0.1:8000"),
            ),
        )

    async def settle_with(self, worker: Worker) -> None:
        """See what is queued through to its final block, by this worker alone."""
        await jobs.relay.run(worker)
        self.chain.mine(1 + self.FINALITY)
        while await jobs.watch.run(worker):
            pass

    async def settle(self) -> None:
        """Relay, mine and watch until nothing changes any more."""
        worker, idle = self.worker(), 0
        while idle < 2:
            before = await self.open()
            relayed = await jobs.relay.run(worker)
            await jobs.resend.run(worker)
            self.chain.mine(1 + self.FINALITY)
            while await jobs.watch.run(worker):
                pass
            idle = 0 if relayed or await self.open() != before else idle + 1

    async def open(self) -> int:
        """How many authorizations wait for their end."""
        async with self.database.reading() as connection:
            return int(
                await connection.fetchval(
                    "SELECT count(*) FROM token_authorization WHERE state IN ('queued', 'submitted')"
                )
            )

    async def command(self, function: str, *words: bytes, code: str = "USDX") -> None:
        """Have the relayer, who has every role here, call a token, and let that become final."""
        data = selector(function) + b"".join(word.rjust(32, b"\0") for word in words)
        contract, fees = self.settings.contracts[code], await self.node.fees()
        async with self.database.transaction() as connection:
            stored = await relayers.store(
                connection,
                self.signer,
                contract.chain_id,
                "settle",
                code,
                contract.address,
                data,
                200_000,
                fees,
                self.clock(),
            )
        await self.node.send(stored.raw)
        self.chain.mine(1 + self.FINALITY)

    async def freeze(self, address: str) -> None:
        await self.command("freeze", bytes.fromhex(address[2:]))

    async def set_balance(self, address: str, text: str) -> None:
        """Have the contract say that the address has this much, with no log to tell it and the supply as it was."""
        money = self.money(text)
        slot = keccak(to_bytes(address).rjust(32, b"\0") + bytes(32))  # of the first mapping in storage, the balances
        contract = self.settings.contracts[money.asset.code]
        self.chain.rpc("anvil_setStorageAt", contract.address, "0x" + slot.hex(), f"0x{money.units:064x}")
        self.chain.mine(1 + self.FINALITY)

    async def send_with(self, key: bytes, to: str, text: str) -> None:
        """Send tokens with a private key, past the gateway; the gas is a present. In no block yet."""
        own, money = RelayerSigner(key), self.money(text)
        contract, fees = self.settings.contracts[money.asset.code], await self.node.fees()
        self.chain.rpc("anvil_setBalance", own.address, hex(10**18))
        data = selector("transfer") + to_bytes(to).rjust(32, b"\0") + money.units.to_bytes(32, "big")
        nonce = await self.node.transaction_count(own.address, "latest")
        fields = TransactionFields(
            contract.chain_id, nonce, fees.tip_wei_max, fees.fee_wei_max, 100_000, contract.address, 0, data
        )
        assert await self.node.send(own.sign_transaction(fields)[1]) is None

    async def execute(self, statement: str, *arguments: object) -> None:
        """Write to the database past the gateway."""
        async with self.database.transaction() as connection:
            await connection.execute(statement, *arguments)

    async def look(self) -> None:
        """What the worker does once it has read what there is: hold the ledger against the chain and the bank."""
        worker = self.worker()
        while await jobs.watch.run(worker):
            pass
        await jobs.reconcile.run(worker)

    async def look_at_all(self) -> None:
        """As `look`, a day after every wallet was looked at."""
        await self.execute("UPDATE reconciliation_run SET all_at = NULL")
        await self.look()

    # ---- what came of it --------------------------------------------------------------------------------------------

    async def payment(self, payment: Payment) -> Payment:
        """The payment as it stands now."""
        async with self.database.reading() as connection:
            return await records.payment(connection, self.assets, payment.id, payment.payer)

    async def conversion(self, conversion: Conversion) -> Conversion:
        async with self.database.reading() as connection:
            return await records.conversion(connection, self.assets, conversion.id, conversion.wallet)

    async def balance(self, wallet: Wallet, code: str) -> Balance:
        asset = self.assets[code]
        async with self.database.reading() as connection:
            found = await ledger.balances(connection, self.assets, [account.wallet(wallet.handle, asset)])
        return next(iter(found.values()), Balance(asset, 0, 0))

    async def available(self, wallet: Wallet, code: str) -> str:
        return str((await self.balance(wallet, code)).money()[2])

    async def on_chain(self, address: str, code: str = "USDX") -> str:
        """What the contract says that the address has, in the newest block."""
        contract = self.settings.contracts[code]
        answer = await self.node.call(contract.address, balance_of_data(address), "latest")
        return str(Money(as_int(answer), contract.asset))

    async def differences(self) -> list[object]:
        """Everything that a reconciliation finds: the ledger recounted, against the chain, against the bank."""
        async with self.database.snapshot() as connection:
            faults: list[object] = [*await recount.recount(connection)]
            faults += await movements.reconcile(connection, self.assets)
        _, against_chain = await solvency.reconcile(self.database, self.node, self.settings)
        return faults + list(against_chain)
