"""Submit an authorization that an owner has signed without the gateway: the gateway relays it, and pays the gas.

The caller needs no API key: the authorization names payer, payee and amount, and its signature authorizes them. So an
owner who has exported the key can move their tokens out even if they have lost every other credential. It becomes a
payment like any other: its money is held, and final logs decide.

It is identified by its asset, payer and nonce. Submitted again, it finds its payment.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs
from msgspec.structs import replace

from gateway.address import read
from gateway.chain import signature
from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.token import authorization, eip3009
from gateway.chain.token.eip3009 import Authorization, By
from gateway.chain.watcher import cursors
from gateway.errors import GatewayError, InvalidRequest, NotFound
from gateway.identity import wallet
from gateway.identity.wallet import Wallet
from gateway.ids import new_id
from gateway.ledger import ledger
from gateway.money import Money
from gateway.payments import pay
from gateway.payments.checks import policy, wallet_freeze, withdrawal_freeze
from gateway.payments.errors import NonceTaken
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.proposed import Proposed
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.pay import PayRequest
from gateway.payments.payees.lookup import find_payee
from gateway.payments.rails import hold
from gateway.payments.records import records
from gateway.postgres.errors import Contended
from gateway.postgres.pool import Connection, Database

#: The shortest and longest remaining validity of an authorization: there must be time to get it into a block, and the
#: money should not stay held for too long.
_GOOD_FOR_MIN, _GOOD_FOR_MAX = timedelta(seconds=30), timedelta(days=30)

#: The distance from the gateway's own nonces at an address, beyond which the gateway never uses a nonce.
_NONCES_APART: Final = 1 << 32

#: How often a submission is tried, if the same authorization was submitted concurrently.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class SignedAuthorization:
    """EIP-3009's TransferWithAuthorization, and its signature. `payer` and `payee` are addresses, `nonce` is 256 bits,
    `valid_after` and `valid_before` are in Unix seconds.
    """

    payer: str
    payee: str
    money: Money
    nonce: int
    valid_after: int
    valid_before: int
    signature: bytes


async def submit(
    database: Database, node: Node | None, settings: PaymentSettings, asked: SignedAuthorization, now: datetime
) -> Payment:
    """Hold the money and queue the authorization. Before the transaction the contract is called to see whether the
    nonce was used, as of the block that the ledger has read: a payment whose nonce was used before would never settle.
    Later uses are read from the chain.

    Raises NotFound (the payer is not a wallet's address), InvalidRequest (an invalid nonce or time), NonceTaken,
    InvalidSignature, NodeUnavailable, UnknownPayee, SelfPayment, WalletFrozen, WithdrawalsFrozen, InsufficientFunds.
    """
    for look in range(_ATTEMPTS):
        async with database.reading() as connection:
            there = await _existing(connection, settings, asked)
            if there is not None:
                return there
            payer = await _payer(connection, asked)
            one = _authorization(settings, payer, asked, now)
            cursor = await cursors.read(connection, settings.contract(asked.money.asset).chain_id)
        if node is None or cursor is None:
            raise NodeUnavailable("GATEWAY_RPC_URL is not set, or nothing was read from the chain yet")
        one = await _checked(node, settings, one)
        if (await authorization.used(node, settings.contracts, [one], cursor.number))[one.id]:
            raise _taken(asked)
        try:
            async with database.transaction() as connection:
                if await cursors.lock_if_at(connection, cursor):
                    return await _begin(connection, settings, payer, one, asked.money, now)
                raise Contended
        except Contended:
            if look == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last look ends it")


async def _existing(connection: Connection, settings: PaymentSettings, asked: SignedAuthorization) -> Payment | None:
    """The payment of this authorization, if it was submitted before."""
    key = (asked.money.asset.code, _address(asked.payer), asked.nonce)
    tracked = (await authorization.find(connection, [key])).get(key)
    if tracked is None:
        return None
    was = tracked.authorization
    payments = await records.by_authorizations(connection, settings.assets, [tracked.id])
    same = (was.to_address, was.value, was.valid_after, was.valid_before) == (
        *(_address(asked.payee), asked.money.units, asked.valid_after, asked.valid_before),
    )
    if not (payments and same and signature.is_same(was.signature, asked.signature)):
        raise _taken(asked)
    return payments[0]


def _taken(asked: SignedAuthorization) -> NonceTaken:
    return NonceTaken(f"0x{asked.nonce:064x}")


async def _payer(connection: Connection, asked: SignedAuthorization) -> Wallet:
    address = _address(asked.payer)
    found = (await wallet.by_addresses(connection, [address])).get(address)
    if found is None or found.address != address:
        raise NotFound(f"wallet at {address}")
    return found


def _address(text: str) -> str:
    address = read(text)
    if address is None:
        raise InvalidRequest("address", f"{text[:60]!r} is no address: 0x and 40 hex digits, in EIP-55's case or one")
    return address


def _authorization(
    settings: PaymentSettings, payer: Wallet, asked: SignedAuthorization, now: datetime
) -> Authorization:
    left = timedelta(seconds=min(asked.valid_before, 1 << 40) - int(now.timestamp()))
    if not _GOOD_FOR_MIN <= left <= _GOOD_FOR_MAX:
        raise InvalidRequest("validBefore", "it should be good for 30 seconds at least, and for 30 days at the most")
    if asked.valid_after >= int(now.timestamp()):
        raise InvalidRequest("validAfter", "it is not good yet: sign one with a validAfter in the past, such as 0")
    if asked.money.asset.kind != "token":
        raise InvalidRequest("asset", f"{asked.money.asset.code} is no token: nothing is signed of it")
    by: By = "contract" if payer.custody == "contract" else "owner"
    return Authorization(
        id=new_id(now),
        kind="transfer",
        asset=asked.money.asset.code,
        from_address=payer.address,
        to_address=_address(asked.payee),
        value=asked.money.units,
        nonce=asked.nonce,
        valid_before=asked.valid_before,
        signature=asked.signature,
        by=by,
        valid_after=asked.valid_after,
    )


async def _checked(node: Node, settings: PaymentSettings, one: Authorization) -> Authorization:
    """The authorization, with its signature as the token takes it. Calls the node if the payer is a contract."""
    digest = eip3009.digest(settings.contract(settings.assets[one.asset]), one)
    if one.by == "owner":
        return structs.replace(one, signature=signature.check(one.from_address, digest, one.signature))
    _, taken = await signature.check_any(node, one.from_address, digest, one.signature or b"")
    return structs.replace(one, signature=taken)


async def _begin(
    connection: Connection, settings: PaymentSettings, payer: Wallet, one: Authorization, money: Money, now: datetime
) -> Payment:
    """The payment, its money held and its authorization queued. Raises Contended if another call did so meanwhile, or
    if the payer's wallet has changed its address.

    Lock order: the cursor, which the caller holds; accounts; nonces.
    """
    payee = await find_payee(connection, settings, payer, one.to_address)
    owner = (await wallet_freeze.payers(connection, settings.assets, [payer.id]))[payer.id]
    if owner.refusal is not None:
        raise owner.refusal
    if payee.wallet is None:
        await withdrawal_freeze.check(connection, money.asset)
    fresh = pay.accepted(settings, payer, payee, PayRequest(one.to_address, money), now)
    payment = replace(fresh, state=State.QUEUED, expires_at=None, authorization_id=one.id)
    counters = (policy.day_of(payer.id, money.asset),) if owner.guarded else ()
    proposed = Proposed(payment, payer, payee, counters=counters)
    await ledger.lock(connection, (await hold.accounts(connection, [proposed])).values())
    if payer.signs_itself:
        await authorization.begin_nonces(connection, [(one.asset, one.from_address)])
    given_out = await authorization.nonces_given_out(connection, one.asset, one.from_address)
    if abs(one.nonce - given_out) < _NONCES_APART:
        raise InvalidRequest("nonce", "it is where the gateway's own are: sign with one of 32 random bytes")
    if not await authorization.enqueue_signed(connection, one, now):
        raise Contended
    (accepted,) = await hold.accept(connection, payment.route.rail, [proposed], now)
    if isinstance(accepted, GatewayError):
        raise accepted
    return payment
