"""The caller's wallet: balances and entries."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, get, post

from gateway.api.wallets.shapes import (
    BalanceView,
    ClosedWalletView,
    CloseRequest,
    EntriesPage,
    ExportedKeyView,
    KeyExportRequest,
    WalletView,
)
from gateway.api.wallets.views import (
    balance_view,
    entry_view,
    exported_key_view,
    freeze_view,
    past_balance_view,
)
from gateway.chain.watcher import cursors
from gateway.clock import rfc3339
from gateway.controls import wallet_freeze
from gateway.controls.wallet_freeze import Freeze
from gateway.custody import close, export
from gateway.http.cookie import holding, set_with_answer
from gateway.http.request.cursor import cursor_number, cursor_text
from gateway.http.request.parameters import Cursor, Limit, asset_parameter
from gateway.http.request.times import At, past_time_of, period_of, time_parameter
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.identity.credential import Credential
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.ledger import account, ledger
from gateway.ledger.account import Balance
from gateway.payments.records import records


@get("/v1/wallet", tags=["Wallet"], summary="Get the wallet and its balances", needs="read")
async def get_wallet(services: Services, caller: Wallet, at: At = None) -> WalletView:
    """Returns the balances of fiat and tokens, all read at one moment; tokens with the final block that they were read
    at. An asset that takes no new money is listed while the wallet has some of it.

    With `at`, the balances that were posted up to and including that time: zero before the wallet existed. `pending`
    and `available` are null then, since past holds are not known. Transactions that are being committed may still be
    posted at a time in the last few seconds.

    While `freezes` has items, no money leaves the wallet.
    """
    if at is not None:
        return await _wallet_at(services, caller, past_time_of("at", at, services.clock()))
    assets = services.settings.assets.spendable()
    codes = {asset.code: account.wallet(caller.handle, asset) for asset in assets}
    async with services.database.snapshot() as connection:
        balances = await ledger.balances(connection, services.settings.assets, codes.values())
        read_to = {
            code: await cursors.read(connection, contract.chain_id)
            for code, contract in services.settings.contracts.items()
        }
        freezes = await wallet_freeze.in_force_of(connection, caller.id)
    return _view(
        caller,
        None,
        [
            balance_view(balances.get(codes[asset.code], Balance(asset, 0, 0)), read_to.get(asset.code))
            for asset in assets
            if services.settings.assets.takes_new(asset) or _has(balances.get(codes[asset.code]))
        ],
        freezes,
    )


@post(
    "/v1/wallet/key/export", tags=["Wallet"], summary="Export the wallet's private key", status_code=200, needs="owner"
)
async def export_private_key(
    data: KeyExportRequest, services: Services, credential: Credential
) -> Response[ExportedKeyView]:
    """Returns the private key that the gateway keeps for the wallet's address. The owner confirms the export with a
    sentence (`confirm`). Each export is an event of the wallet.

    With the key the owner signs EIP-3009 authorizations without the gateway, and can leave without gas of their own.
    """
    async with services.database.transaction() as connection:
        await wallets.check_guard(connection, credential.wallet)
        key = await export.export(
            connection, services.vault, credential.wallet, data.confirm, credential.by, services.clock()
        )
    return Response(exported_key_view(key))


@post(
    "/v1/wallet/close",
    tags=["Wallet"],
    summary="Close the wallet",
    status_code=200,
    needs="owner",
    problems=("wallet_frozen", "wallet_not_empty"),
)
async def close_wallet(
    data: CloseRequest, services: Services, credential: Credential, request: Request[Any, Any, Any]
) -> Response[ClosedWalletView]:
    """Closes the wallet permanently. It must have no money and no pending payments, and must not be frozen. Its API
    keys, passkeys, sessions, mandates, webhooks and recovery codes end, and its notification addresses are deleted. Its
    handle can never be claimed again, and payments to it are refused. The owner confirms with a sentence (`confirm`).
    """
    of, now = credential.wallet, services.clock()
    async with services.database.transaction() as connection:
        closed_at = await close.close(connection, services.settings.assets, of, data.confirm, credential.by, now)
    view = ClosedWalletView(of.handle, show("wal", of.id), rfc3339(closed_at))
    if credential.kind != "session":
        return Response(view)
    set_with_answer(request.scope, None)
    return Response(view, cookies=[holding("", party_of(services.public_url), now, now)])


@get("/v1/entries", tags=["Wallet"], summary="List the entries of an asset", needs="read", problems=("unknown_asset",))
async def list_entries(
    services: Services,
    caller: Wallet,
    asset: Annotated[str, asset_parameter("The asset whose entries to list.")],
    limit: Limit = 50,
    cursor: Cursor = None,
    from_: Annotated[str | None, time_parameter("from", "Posted at this time (RFC 3339) or later.")] = None,
    until: Annotated[str | None, time_parameter("until", "Posted before this time (RFC 3339).")] = None,
) -> EntriesPage:
    """Lists the entries of one asset, newest first, with the balance after each. Tokens that were moved without the
    gateway are an `observation`, with sender and receiver.
    """
    of = services.settings.assets.of_wallet(asset)
    code, before = account.wallet(caller.handle, of), cursor_number(cursor) if cursor else None
    period = period_of("from", from_, "until", until)
    async with services.database.reading() as connection:
        after, end = await ledger.numbers_between(connection, code, *period)
        below = min((number for number in (before, end) if number is not None), default=None)
        page = await ledger.statement(connection, of, code, below, limit)
        entries = [entry for entry in page if entry.number > after]
        seen = [entry.subject for entry in entries if entry.purpose == "observation"]
        ends = await records.ends_of_observations(connection, seen)
    more = len(entries) == limit and entries[-1].number > after + 1
    items = [entry_view(entry, ends.get(entry.subject)) for entry in entries]
    return EntriesPage(items, cursor_text(str(entries[-1].number)) if more else None)


async def _wallet_at(services: Services, caller: Wallet, at: datetime) -> WalletView:
    assets = services.settings.assets
    codes = {account.wallet(caller.handle, asset): asset for asset in assets.spendable()}
    async with services.database.reading() as connection:
        balances = await ledger.balances_at(connection, codes, at)
        freezes = await wallet_freeze.in_force_of(connection, caller.id)
    there = [past_balance_view(one) for one in balances.values() if assets.takes_new(one.asset) or one.units]
    return _view(caller, rfc3339(at), there, freezes)


def _view(of: Wallet, at: str | None, balances: list[BalanceView], freezes: list[Freeze]) -> WalletView:
    in_force = [freeze_view(one) for one in freezes]
    since = min((one.placed_at for one in in_force), default=None)
    return WalletView(of.handle, show("wal", of.id), of.address, of.custody, at, balances, since, in_force)


def _has(balance: Balance | None) -> bool:
    return balance is not None and bool(balance.posted or balance.pending)
