"""Create, list, change and delete a wallet's endpoints."""

from collections.abc import Sequence
from typing import Annotated, Final

from litestar import delete, get, patch, post, put

from gateway.api.events.catalogue import types_named
from gateway.api.webhooks.shapes import (
    NewWebhookView,
    RotatedSecretView,
    WebhookChangesRequest,
    WebhookDetailView,
    WebhookRequest,
    WebhooksPage,
    WebhookView,
)
from gateway.api.webhooks.views import new_webhook_view, webhook_detail_view, webhook_view
from gateway.clock import rfc3339
from gateway.http.request.parameters import id_of, path_id
from gateway.http.services import Services
from gateway.identity.credential import Credential
from gateway.identity.wallet import Wallet
from gateway.webhooks import endpoint
from gateway.webhooks.endpoint import EVERY_TYPE, Changes, EndpointSettings
from gateway.webhooks.vocabulary import PREFIX

WebhookPath = Annotated[str, path_id(PREFIX, "The webhook's id.")]

#: The noun in a NotFound for an unknown id in the path.
WHAT: Final = "such webhook"


@post("/v1/webhooks", tags=["Webhooks"], summary="Create a webhook", needs="owner")
async def create_webhook(data: WebhookRequest, services: Services, credential: Credential) -> NewWebhookView:
    """Creates an endpoint: events of these types are sent to the URL from now on. The secret that signs them is shown
    only once.
    """
    settings = _settings_of(data)
    async with services.database.transaction() as connection:
        made, secret = await endpoint.create(
            connection,
            services.vault,
            services.webhooks_allowed,
            credential.wallet.id,
            settings,
            credential.by,
            services.clock(),
        )
    return new_webhook_view(made, secret)


@get("/v1/webhooks", tags=["Webhooks"], summary="List webhooks", needs="webhooks")
async def list_webhooks(services: Services, caller: Wallet) -> WebhooksPage:
    """Lists all endpoints of the wallet, newest first. A secret is never shown again."""
    async with services.database.reading() as connection:
        return WebhooksPage([webhook_view(one) for one in await endpoint.endpoints(connection, caller.id)])


@get("/v1/webhooks/{id:str}", tags=["Webhooks"], summary="Get a webhook", needs="webhooks", problems=("not_found",))
async def get_webhook(id: WebhookPath, services: Services, caller: Wallet) -> WebhookDetailView:
    """Returns the endpoint's settings, since when it has been failing, and until when deliveries have two
    signatures.
    """
    of = id_of(PREFIX, id, WHAT)
    async with services.database.reading() as connection:
        found = await endpoint.endpoint(connection, caller.id, of)
        ends_at = await endpoint.old_secret_expires_at(connection, of, services.clock())
    return webhook_detail_view(found, ends_at)


@put("/v1/webhooks/{id:str}", tags=["Webhooks"], summary="Change a webhook", needs="owner", problems=("not_found",))
async def change_webhook(
    id: WebhookPath, data: WebhookRequest, services: Services, credential: Credential
) -> WebhookView:
    """Replaces all settings. An endpoint that is enabled again continues with the events since it was disabled."""
    return await _changed(id, services, credential, data)


@patch("/v1/webhooks/{id:str}", tags=["Webhooks"], summary="Update a webhook", needs="owner", problems=("not_found",))
async def update_webhook(
    id: WebhookPath, data: WebhookChangesRequest, services: Services, credential: Credential
) -> WebhookView:
    """Changes the given settings; the others stay as they are, even if they are changed at the same time. An endpoint
    that is enabled again continues with the events since it was disabled.
    """
    return await _changed(id, services, credential, data)


@delete(
    "/v1/webhooks/{id:str}",
    tags=["Webhooks"],
    summary="Delete a webhook",
    status_code=200,
    needs="owner",
    problems=("not_found",),
)
async def delete_webhook(id: WebhookPath, services: Services, credential: Credential) -> WebhookView:
    """Deletes the endpoint and its deliveries. Requests that are being sent at this moment may still arrive."""
    of = id_of(PREFIX, id, WHAT)
    async with services.database.transaction() as connection:
        found = await endpoint.delete(connection, credential.wallet.id, of, credential.by, services.clock())
    return webhook_view(found)


@post(
    "/v1/webhooks/{id:str}/secret",
    tags=["Webhooks"],
    summary="Rotate a webhook's secret",
    needs="owner",
    problems=("not_found",),
)
async def rotate_webhook_secret(id: WebhookPath, services: Services, credential: Credential) -> RotatedSecretView:
    """Creates a new secret, which is shown only once. For a day deliveries are signed with both the new and the old
    one.
    """
    of = id_of(PREFIX, id, WHAT)
    async with services.database.transaction() as connection:
        found, secret, expires_at = await endpoint.rotate_secret(
            connection, services.vault, credential.wallet.id, of, credential.by, services.clock()
        )
    return RotatedSecretView(found.shown_id, secret, rfc3339(expires_at))


async def _changed(
    id: str, services: Services, credential: Credential, data: WebhookRequest | WebhookChangesRequest
) -> WebhookView:
    _check_types(data.types or ())
    of, changes = id_of(PREFIX, id, WHAT), Changes(data.url, data.types, data.description, data.enabled)
    async with services.database.transaction() as connection:
        changed = await endpoint.change(
            *(connection, services.webhooks_allowed, credential.wallet.id, of, changes, credential.by, services.clock())
        )
    return webhook_view(changed)


def _check_types(types: Sequence[str]) -> None:
    for text in types:
        if text != EVERY_TYPE:
            types_named(text)


def _settings_of(data: WebhookRequest) -> EndpointSettings:
    _check_types(data.types)
    return EndpointSettings(data.url, data.types, data.description, data.enabled)
