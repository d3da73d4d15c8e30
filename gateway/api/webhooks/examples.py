"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import astuple, replace

from gateway.api.events.examples import EVENT
from gateway.api.example_values import MONTH_LATER, NOW
from gateway.api.webhooks.shapes import (
    AttemptView,
    DeliveriesPage,
    DeliveryView,
    NewWebhookView,
    RedeliveryRequest,
    RotatedSecretView,
    WebhookChangesRequest,
    WebhookDetailView,
    WebhookRequest,
    WebhooksPage,
    WebhookView,
)

_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # nosec B105 # noqa: S105 - the specification's own example
_SETTINGS = WebhookRequest("https://shop.example/webhooks", ["payment.settled", "payment.failed"], "Web shop")
WEBHOOK = WebhookView(
    id="whk_01h455vb4pex5vsknk084sn02q",
    url=_SETTINGS.url,
    types=_SETTINGS.types,
    description=_SETTINGS.description,
    enabled=True,
    disabled_by=None,
    failing_since=None,
    created_at=NOW,
)
_TRIED = [AttemptView(NOW, 15_000, "timeout", None), AttemptView(NOW, 83, "delivered", 204)]

#: The request of each call, by its operation id.
REQUESTS: Final[Mapping[str, Struct]] = {
    "create_webhook": _SETTINGS,
    "change_webhook": WebhookRequest(_SETTINGS.url, ["payment.*"], "Web shop"),
    "update_webhook": WebhookChangesRequest(enabled=False),
    "redeliver": RedeliveryRequest(event=EVENT.id),
}

#: The answer of each call, by its operation id.
ANSWERS: Final[Mapping[str, Struct]] = {
    "create_webhook": NewWebhookView(*astuple(WEBHOOK), secret=_SECRET),
    "list_webhooks": WebhooksPage([WEBHOOK]),
    "get_webhook": WebhookDetailView(*astuple(WEBHOOK), old_secret_expires_at=None),
    "change_webhook": WEBHOOK,
    "update_webhook": replace(WEBHOOK, enabled=False, disabled_by="owner"),
    "delete_webhook": WEBHOOK,
    "rotate_webhook_secret": RotatedSecretView(WEBHOOK.id, _SECRET, MONTH_LATER),
    "list_deliveries": DeliveriesPage([DeliveryView(EVENT.id, EVENT.type, NOW, "delivered", None, _TRIED)], None),
    "redeliver": WEBHOOK,
    "test_webhook": WEBHOOK,
}
