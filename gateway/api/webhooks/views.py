"""Answers about webhooks and their deliveries."""

from datetime import datetime

from msgspec import structs

from gateway.api.webhooks.shapes import AttemptView, DeliveryView, NewWebhookView, WebhookDetailView, WebhookView
from gateway.clock import rfc3339
from gateway.events import event_id
from gateway.webhooks.delivery import Delivery
from gateway.webhooks.endpoint import Endpoint


def webhook_view(of: Endpoint) -> WebhookView:
    return WebhookView(
        id=of.shown_id,
        url=of.url,
        types=list(of.types),
        description=of.description,
        enabled=of.disabled_by is None,
        disabled_by=of.disabled_by,
        failing_since=rfc3339(of.failing_since) if of.failing_since else None,
        created_at=rfc3339(of.created_at),
    )


def new_webhook_view(of: Endpoint, secret: str) -> NewWebhookView:
    return NewWebhookView(**structs.asdict(webhook_view(of)), secret=secret)


def webhook_detail_view(of: Endpoint, old_secret_expires_at: datetime | None) -> WebhookDetailView:
    until = rfc3339(old_secret_expires_at) if old_secret_expires_at else None
    return WebhookDetailView(**structs.asdict(webhook_view(of)), old_secret_expires_at=until)


def delivery_view(of: Delivery) -> DeliveryView:
    return DeliveryView(
        event_id=event_id.show(of.event, of.event_at),
        type=of.kind,
        created_at=rfc3339(of.event_at),
        state=of.state,
        next_at=rfc3339(of.next_at) if of.next_at else None,
        attempts=[AttemptView(rfc3339(one.at), one.milliseconds, one.outcome, one.status) for one in of.attempts],
    )
