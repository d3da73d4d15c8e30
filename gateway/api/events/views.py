"""Events as their wallet sees them. Fields of an object that can change come from the event, the others from
its row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from msgspec import UNSET
from msgspec.structs import astuple

from gateway.api.events.catalogue import API_VERSION, CATALOGUE
from gateway.api.events.shapes import (
    ApiKeyData,
    BankMovementData,
    ConversionData,
    CorrectionData,
    EventData,
    EventView,
    MandateData,
    NotificationAddressData,
    ObservationData,
    PasskeyData,
    PaymentData,
    PolicyData,
    RecoveryCodesData,
    RequestData,
    SessionData,
    WalletData,
    WebhookData,
)
from gateway.api.payments.views import conversion_view, mandate_view, payment_view
from gateway.api.requests.views import request_view
from gateway.bank.movements import PREFIX as BANK_PREFIX
from gateway.clock import rfc3339
from gateway.events import event_id
from gateway.events.log import LoggedEvent
from gateway.identity import wallet
from gateway.ids import ConversionId, PaymentId, RequestId, WalletId, show
from gateway.money import Assets
from gateway.notifications import vocabulary
from gateway.operators import repairs
from gateway.payments.checks import mandate
from gateway.payments.checks.mandate import Mandate
from gateway.payments.model import payment_events
from gateway.payments.model.conversion import Conversion
from gateway.payments.model.payment import Payment
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.records import records
from gateway.payments.requests import request as requests
from gateway.payments.requests import rows as request_rows
from gateway.payments.requests.request import Request
from gateway.postgres.pool import Connection
from gateway.webhooks.dispatcher import Render
from gateway.webhooks.vocabulary import PREFIX


@dataclass(frozen=True, slots=True)
class Objects:
    """The rows behind some events, as they are now: enough for `view` to show each event."""

    payments: Mapping[PaymentId, Payment]
    conversions: Mapping[ConversionId, Conversion]
    mandates: Mapping[UUID, Mandate]
    requests: Mapping[RequestId, Request]
    handles: Mapping[WalletId, str]


async def objects(connection: Connection, assets: Assets, events: Sequence[tuple[WalletId, LoggedEvent]]) -> Objects:
    """The rows behind these events and their wallets, with one statement per kind of object."""
    of: dict[str, set[UUID]] = {}
    wallets: set[WalletId] = set()
    for viewer, event in events:
        kind, _ = CATALOGUE[event.kind]
        if kind == "wallet":
            wallets.add(viewer)
        elif event.subject is not None:
            of.setdefault(kind, set()).add(event.subject)
    payments = await records.payments_shown(connection, assets, of["payment"]) if "payment" in of else {}
    conversions = await records.conversions_of(connection, assets, of["conversion"]) if "conversion" in of else {}
    mandates = await mandate.by_ids(connection, assets, of["mandate"]) if "mandate" in of else {}
    asked = await request_rows.by_ids(connection, assets, of["request"], events[-1][1].at) if "request" in of else {}
    handles = await wallet.handles(connection, wallets) if wallets else {}
    return Objects(payments, conversions, mandates, asked, handles)


async def views(
    connection: Connection, assets: Assets, viewer: WalletId, events: Sequence[LoggedEvent]
) -> list[EventView]:
    """Events of one wallet, in order."""
    behind = await objects(connection, assets, [(viewer, event) for event in events])
    return [view(behind, viewer, event) for event in events]


def rendering(settings: PaymentSettings) -> Render:
    """The function that renders events for webhooks: the JSON of each event, as `GET /v1/events` shows it to its
    wallet.
    """

    async def render(connection: Connection, told: Sequence[tuple[WalletId, LoggedEvent]]) -> list[bytes]:
        behind = await objects(connection, settings.assets, told)
        return [msgspec.json.encode(view(behind, viewer, event)) for viewer, event in told]

    return render


def view(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventView:
    """The event as the wallet `viewer` sees it. Pure."""
    kind, _ = CATALOGUE[event.kind]
    return EventView(
        id=event_id.show(event.number, event.at),
        type=event.kind,
        created_at=rfc3339(event.at),
        api_version=API_VERSION,
        wallet_id=show("wal", viewer),
        sequence=event.sequence,
        data=_DATA[kind](behind, viewer, event),
    )


def _payment(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    payment = behind.payments[PaymentId(_subject(event))]
    then = payment_events.at_event(payment, event.kind, event.payload, event.at)
    return PaymentData(*astuple(payment_view(then, viewer)))


def _conversion(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    conversion = behind.conversions[ConversionId(_subject(event))]
    return ConversionData(
        *astuple(conversion_view(payment_events.conversion_at_event(conversion, event.kind, event.payload, event.at)))
    )


def _bank_movement(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    prefix = BANK_PREFIX["deposit" if event.kind == "deposit.settled" else "withdrawal"]
    return BankMovementData(
        show(prefix, _subject(event)), "settled", event.payload["amount"], event.payload["asset"], rfc3339(event.at)
    )


def _mandate(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    return MandateData(*astuple(mandate_view(mandate.at_event(behind.mandates[_subject(event)], event.kind, event.at))))


def _request(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    then = requests.at_event(behind.requests[RequestId(_subject(event))], event.kind, event.at)
    return RequestData(*astuple(request_view(then, viewer)))


def _observation(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    payload = event.payload
    id = show("obs", _subject(event))
    return ObservationData(id, payload["from"], payload["to"], payload["amount"], payload["asset"], payload["tx_hash"])


def _correction(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    payload = event.payload
    id = show(repairs.PREFIX, _subject(event))
    return CorrectionData(
        id, payload["debit"], payload["credit"], payload["amount"], payload["asset"], payload["reason"]
    )


def _wallet(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    payload = event.payload
    return WalletData(
        show("wal", viewer),
        behind.handles[viewer],
        address=payload.get("address", UNSET),
        custody=payload.get("custody", UNSET),
        previous_address=payload.get("before", UNSET),
        expires_at=payload.get("expires_at", UNSET),
    )


def _policy(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    limit = event.payload.get("limit")
    by = "owner" if limit is None else "operators"
    return PolicyData(show("wal", viewer), by, event.payload.get("loosened"), limit)


def _api_key(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    return ApiKeyData(show("key", _subject(event)), event.payload["name"], event.payload["scopes"])


def _passkey(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    return PasskeyData(show("psk", _subject(event)), event.payload["name"])


def _session(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    return SessionData(show("ses", _subject(event)), event.payload.get("sign_in_method"), event.payload.get("why"))


def _recovery_codes(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    payload = event.payload
    return RecoveryCodesData(show("wal", viewer), payload["codes"] if "codes" in payload else payload["codes_left"])


def _notification_address(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    payload = event.payload
    return NotificationAddressData(show(vocabulary.PREFIX, _subject(event)), payload["channel"], payload.get("reason"))


def _webhook(behind: Objects, viewer: WalletId, event: LoggedEvent) -> EventData:
    payload = event.payload
    return WebhookData(show(PREFIX, _subject(event)), payload["host"], payload["types"], payload["disabled_by"])


def _subject(event: LoggedEvent) -> UUID:
    assert event.subject is not None, f"{event.kind} is of an object"
    return event.subject


#: The functions that show objects, by kind.
_DATA: Mapping[str, Callable[[Objects, WalletId, LoggedEvent], EventData]] = {
    "payment": _payment,
    "conversion": _conversion,
    "bank_movement": _bank_movement,
    "mandate": _mandate,
    "request": _request,
    "observation": _observation,
    "correction": _correction,
    "wallet": _wallet,
    "policy": _policy,
    "api_key": _api_key,
    "passkey": _passkey,
    "session": _session,
    "recovery_codes": _recovery_codes,
    "notification_address": _notification_address,
    "webhook": _webhook,
}
