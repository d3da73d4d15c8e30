"""Deposits, withdrawals, and conversions between a currency and its token."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, get, post
from msgspec import Struct

from gateway.api.fields import Amount, AssetCode
from gateway.api.identity.shapes import AssertionRequest
from gateway.api.identity.sign_in import assertion_of
from gateway.api.payments.idempotency import Batcher, answer_idempotently, claim_of
from gateway.api.payments.shapes import BankMovementView, ConversionRequest, ConversionView, MoneyRequest
from gateway.api.payments.views import bank_movement_view, conversion_view
from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.bank import movements
from gateway.bank.movements import BankMovement, BankRequest, Direction
from gateway.errors import GatewayError
from gateway.http.answer.problems import KEY_PROBLEMS, MONEY_PROBLEMS
from gateway.http.request.parameters import id_of, path_id
from gateway.http.services import Services
from gateway.identity.credential import Credential
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.passkey_verification import Assertion
from gateway.identity.wallet import Wallet
from gateway.ids import ConversionId
from gateway.money import Money
from gateway.payments import convert as converting
from gateway.payments.checks import policy
from gateway.payments.errors import ApprovalRequired
from gateway.payments.records import records
from gateway.postgres.pool import Connection

ConversionPath = Annotated[str, path_id("cnv", "The conversion's id.")]


#: The purpose of challenges to approve withdrawals.
WITHDRAWAL = "withdrawal.approve"


class WithdrawalRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`approval` is the signed challenge over this amount, if the wallet's policy requires one."""

    amount: Amount
    asset: AssetCode
    approval: AssertionRequest | None = None


Movements = Batcher[BankRequest, BankMovement]


def movements_of(services: Services) -> Movements:
    """The gateway's deposits and withdrawals, which share commits."""

    async def operation(
        connection: Connection, asked: Sequence[BankRequest], now: datetime
    ) -> list[BankMovement | GatewayError]:
        return await movements.settle_all(connection, services.settings.assets, asked, now)

    return Batcher(services, operation, lambda _: 201, lambda _, moved: bank_movement_view(moved))


@post(
    "/v1/deposits",
    tags=["Bank"],
    summary="Deposit money from the bank",
    needs="pay",
    problems=(*MONEY_PROBLEMS, *KEY_PROBLEMS, "asset_closed"),
)
async def deposit(
    request: Request[Any, Any, Any], data: MoneyRequest, services: Services, caller: Wallet
) -> Response[BankMovementView]:
    """Credits fiat that came in at the bank to the caller. The sandbox bank believes every caller."""
    return await _settle("deposit", request, data, services, caller)


@post(
    "/v1/withdrawals",
    tags=["Bank"],
    summary="Withdraw money to the bank",
    needs="pay",
    problems=(
        *MONEY_PROBLEMS,
        *KEY_PROBLEMS,
        *("insufficient_funds", "withdrawals_frozen", "wallet_frozen", "approval_required", "invalid_passkey"),
        "in_recovery",
    ),
)
async def withdraw(
    request: Request[Any, Any, Any], data: WithdrawalRequest, services: Services, credential: Credential
) -> Response[BankMovementView]:
    """Pays fiat out to the caller's bank account. Above the limits of the wallet's policy it needs an `approval`."""
    caller = credential.wallet
    if not caller.guarded:
        return await _settle("withdrawal", request, data, services, caller)
    money = services.settings.assets.of_wallet(data.asset).parse_positive(data.amount)
    assertion = assertion_of(data.approval) if data.approval else None

    async def operation(connection: Connection, now: datetime) -> tuple[int, Struct]:
        await _check_policy(connection, services, credential, money, assertion, now)
        asked = BankRequest("withdrawal", caller, money)
        (done,) = await movements.settle_all(connection, services.settings.assets, [asked], now)
        if isinstance(done, GatewayError):
            raise done
        await policy.count_withdrawal(connection, caller.id, done.id, money, now)
        return 201, bank_movement_view(done)

    return await answer_idempotently(services, request, caller, data, operation)


async def _check_policy(
    connection: Connection,
    services: Services,
    credential: Credential,
    money: Money,
    assertion: Assertion | None,
    now: datetime,
) -> None:
    """Raises ApprovalRequired, InvalidPasskey, ClonedPasskey."""
    of = credential.wallet.id
    (mine,) = (await policy.policies(connection, services.settings.assets, [of], lock=True)).values()
    session = credential.id if credential.kind == "session" else None
    reasons = await policy.withdrawal(connection, of, mine, money, session, now)
    if assertion is not None:
        signed_by = await passkey.verify(connection, of, WITHDRAWAL, (money.amount, money.asset.code), assertion, now)
        by, details = By("passkey", signed_by.shown_id), {"amount": money.amount, "asset": money.asset.code}
        await audit.append(connection, [AuditEvent("withdrawal.approved", of, by, of, details)], now)
    elif reasons:
        raise ApprovalRequired(reasons)


async def _settle(
    direction: Direction,
    request: Request[Any, Any, Any],
    data: MoneyRequest | WithdrawalRequest,
    services: Services,
    caller: Wallet,
) -> Response[Any]:
    asked = BankRequest(direction, caller, services.settings.assets.of_wallet(data.asset).parse_positive(data.amount))
    together: Movements = request.app.state.bank_movements
    return await together.answer(claim_of(services, request, caller, data), asked)


@post(
    "/v1/conversions",
    tags=["Bank"],
    summary="Convert a currency into its token, or back",
    status_code=202,
    needs="pay",
    problems=(
        *MONEY_PROBLEMS,
        *KEY_PROBLEMS,
        *("insufficient_funds", "withdrawals_frozen", "own_key", "wallet_frozen", "asset_closed", "in_recovery"),
        "payment_restored",
    ),
)
async def convert(
    request: Request[Any, Any, Any], data: ConversionRequest, services: Services, caller: Wallet
) -> Response[ConversionView]:
    """Converts a currency into its token or back, at par. The conversion is settled when its block is final."""
    money = services.settings.assets.of_wallet(data.asset).parse_positive(data.amount)
    into = services.settings.assets.of_wallet(data.to_asset)

    async def operation(connection: Connection, now: datetime) -> tuple[int, Struct]:
        return 202, conversion_view(await converting.convert(connection, services.settings, caller, money, into, now))

    return await answer_idempotently(services, request, caller, data, operation)


@get("/v1/conversions/{id:str}", tags=["Bank"], summary="Get a conversion", needs="read", problems=("not_found",))
async def get_conversion(id: ConversionPath, services: Services, caller: Wallet) -> ConversionView:
    """Returns a conversion of the caller."""
    conversion_id = ConversionId(id_of("cnv", id, f"conversion {id[:60]}"))
    async with services.database.reading() as connection:
        return conversion_view(await records.conversion(connection, services.settings.assets, conversion_id, caller.id))
