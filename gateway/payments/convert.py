"""Convert fiat into the token that it backs, and back, at par and without a fee.

mint     hold the fiat for the reserve ─> mint on the chain ─> final: capture the hold, credit the tokens
redeem   hold the tokens ─> authorize their burn ─> final: capture the hold, pay the fiat out of the reserve
"""

from datetime import datetime
from typing import Literal

from gateway.chain.token import authorization
from gateway.events import log
from gateway.identity.wallet import Wallet
from gateway.ids import ConversionId, TransferId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Asset, Money, at_par_exact
from gateway.payments.checks import wallet_freeze, withdrawal_freeze
from gateway.payments.errors import NotConvertible, NothingConverts, OwnKey
from gateway.payments.model import payment_events
from gateway.payments.model.conversion import Conversion
from gateway.payments.model.payment import State
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.records import records
from gateway.postgres.pool import Connection


async def convert(
    connection: Connection, settings: PaymentSettings, owner: Wallet, money: Money, into: Asset, now: datetime
) -> Conversion:
    """Accept a conversion: hold the given amount and queue the mint or the redemption. It settles when that is final.

    Raises NotConvertible (the two are not a token and its currency), AssetClosed (a mint), AmountTooPrecise (the target
    asset has too few decimals for the amount), OwnKey (a redemption: the owner redeems at the contract, and the ledger
    pays out when it sees that), WithdrawalsFrozen (a redemption), WalletFrozen, InsufficientFunds.
    """
    kind = _kind(settings, money.asset, into)
    if kind == "redemption" and owner.signs_itself:
        contract = settings.contract(money.asset)
        raise OwnKey(owner.handle, f"redeem {money} at the token's contract, {contract.address}")
    if kind == "mint":
        settings.assets.check_takes_new(into)
    to_money = at_par_exact(money, into)
    await wallet_freeze.check(connection, owner.id)
    if kind == "redemption":
        await withdrawal_freeze.check(connection, money.asset)
    conversion = Conversion(
        id=ConversionId(new_id(now)),
        state=State.QUEUED,
        wallet=owner.id,
        handle=owner.handle,
        amount=money,
        to_amount=to_money,
        transfer_id=TransferId(new_id(now)),
        authorization_id=new_id(now),
        tx_hash=None,
        failure=None,
        created_at=now,
        settled_at=None,
    )
    await _hold(connection, kind, conversion, now)
    token = into if kind == "mint" else money.asset
    contract = settings.contract(token)
    order = authorization.Order(
        id=conversion.authorization_id,
        kind=kind,
        asset=token.code,
        from_address=owner.address,
        to_address=owner.address if kind == "mint" else contract.address,
        value=to_money.units if kind == "mint" else money.units,
        valid_before=int(now.timestamp()) + settings.authorization_seconds,
        reference=conversion.id.int if kind == "mint" else None,
    )
    await authorization.enqueue(connection, [order], now)
    await records.insert_conversion(connection, conversion)
    await log.append(connection, [payment_events.conversion_event(conversion)], now)
    return conversion


def _kind(settings: PaymentSettings, given: Asset, into: Asset) -> Literal["mint", "redemption"]:
    if given.kind == "fiat" and into.backing == given.code:
        return "mint"
    if into.kind == "fiat" and given.backing == into.code:
        return "redemption"
    tokens = [one for one in settings.assets if one.backing and settings.assets.takes_new(one)]
    if partners := [given.backing] if given.backing else [one.code for one in tokens if one.backing == given.code]:
        raise NotConvertible(into.code, tuple(partners), given.code)
    raise NothingConverts(into.code, (), given.code, tuple(f"{one.backing} and {one.code}" for one in tokens))


async def _hold(
    connection: Connection, kind: Literal["mint", "redemption"], conversion: Conversion, now: datetime
) -> None:
    """Hold the given amount: fiat for the reserve, tokens for the burn."""
    asset = conversion.amount.asset
    sender, receiver = (
        account.wallet(conversion.handle, asset),
        account.system_account("reserve" if kind == "mint" else "supply", asset),
    )
    ids = await ledger.accounts(connection, [(sender, asset), (receiver, asset)])
    leg = Leg(ids[sender], ids[receiver], conversion.amount.units)
    hold = Transfer(conversion.transfer_id, "conversion", conversion.id, (leg,))
    ledger.only(await ledger.hold(connection, [hold], now))
