"""Webhooks: list, create and change them, and see their deliveries. A session can read them."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import PathParameter

from gateway.api.events.catalogue import CATALOGUE
from gateway.api.webhooks.deliveries import list_deliveries
from gateway.api.webhooks.shapes import AttemptView
from gateway.api.webhooks.webhooks import get_webhook, list_webhooks
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page, reader_for
from gateway.web.reader import Reader


@own_page("/settings/webhooks", follows=True)
async def webhooks_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The webhooks, each with its state."""
    found = (await list_webhooks.fn(services, caller)).items
    return answer(request, "wallet/webhooks.html", me=caller.handle, webhooks=found)


@own_page("/settings/webhooks/new")
async def new_webhook_page(request: Request[Any, Any, Any], caller: Wallet) -> Response[bytes]:
    """The form of a webhook: URL and event types. Its script creates it, and shows its secret once."""
    return answer(request, "wallet/new-webhook.html", me=caller.handle, webhook=None, **_types(reader_for(request)))


@own_page("/settings/webhooks/{id:str}", follows=True)
async def webhook_page(
    id: Annotated[str, PathParameter()], request: Request[Any, Any, Any], services: Services, caller: Wallet
) -> Response[bytes]:
    """A webhook, its deliveries, and the reasons of failures."""
    webhook = await get_webhook.fn(id, services, caller)
    sent = await list_deliveries.fn(id, services, caller, None, request.query_params.get("cursor"), 30)
    reader = reader_for(request)
    return answer(
        request,
        "wallet/webhook.html",
        me=caller.handle,
        webhook=webhook,
        deliveries=sent.items,
        again=[json.dumps({"event": one.event_id}) for one in sent.items],
        more=sent.next_cursor,
        outcome_of=lambda last: _outcome_of(last, reader),
    )


@own_page("/settings/webhooks/{id:str}/edit")
async def edit_webhook_page(
    id: Annotated[str, PathParameter()], request: Request[Any, Any, Any], services: Services, caller: Wallet
) -> Response[bytes]:
    """Its URL, description and event types. Its script sends only the changes."""
    webhook = await get_webhook.fn(id, services, caller)
    return answer(request, "wallet/new-webhook.html", me=caller.handle, webhook=webhook, **_types(reader_for(request)))


def _types(reader: Reader) -> Mapping[str, Any]:
    """The event types for the form, by kind of object, each with its description (in English)."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, (_, what) in CATALOGUE.items():
        groups.setdefault(name.partition(".")[0], []).append((name, what))
    return {"groups": groups, "group_name": lambda group: _group_name(group, reader)}


def _group_name(group: str, reader: Reader) -> str:
    """The name of a group of events."""
    names = {
        "payment": reader.say("Payments"),
        "conversion": reader.say("Conversions"),
        "deposit": reader.say("Deposits from the bank"),
        "withdrawal": reader.say("Withdrawals to the bank"),
        "mandate": reader.say("Mandates"),
        "request": reader.say("Requests"),
        "token": reader.say("Tokens from outside"),
        "ledger": reader.say("Corrections"),
        "wallet": reader.say("Your wallet"),
        "policy": reader.say("Limits"),
        "api_key": reader.say("API keys"),
        "passkey": reader.say("Passkeys"),
        "session": reader.say("Sessions"),
        "recovery_codes": reader.say("Recovery codes"),
        "recovery_code": reader.say("Recovery codes that are used"),
        "notification_address": reader.say("Addresses for notifications"),
        "notification_preferences": reader.say("Notification settings"),
        "webhook": reader.say("Webhooks"),
    }
    return names[group]


def _outcome_of(last: AttemptView, reader: Reader) -> str:
    """The outcome of a failed attempt in words."""
    match last.outcome:
        case "http_status" | "gone" | "too_many_requests":
            return reader.say("your server answered {status}", status=last.status)
        case "redirect":
            return reader.say("your server sent us elsewhere, where we do not go")
        case "timeout":
            return reader.say("your server did not answer in time")
        case "name_not_resolved":
            return reader.say("nobody knows this name")
        case "address_refused":
            return reader.say("its address is not a public one")
        case "tls_failed":
            return reader.say("its certificate is not good")
        case _:
            return reader.say("the connection failed")
