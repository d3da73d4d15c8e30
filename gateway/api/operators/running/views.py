"""Functions that make the answers about how the gateway runs: one for each shape."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from gateway.api.operators.running.shapes import (
    AuditLineView,
    ChainProgressView,
    CheckpointView,
    CheckView,
    EndpointCountsView,
    FailingWebhookView,
    GatewayHealthView,
    OperatorSolvencyView,
    PaymentTimelineView,
    PoolView,
    RelayerCountsView,
    RelayerView,
    SolvencyPointView,
    StepView,
    TableView,
    WaitingView,
)
from gateway.api.operators.withdrawals import difference_view
from gateway.api.payments.views import payment_view
from gateway.api.status.shapes import SolvencyView
from gateway.clock import rfc3339
from gateway.money import Asset
from gateway.payments.timeline.timeline import Checkpoint, Timeline
from gateway.reconciliation.diagnosis import Result
from gateway.reconciliation.health import Chain, Health, Waiting
from gateway.reconciliation.history import Point
from gateway.reconciliation.solvency import Difference
from gateway.settlement.relayer_accounts import Row
from gateway.webhooks.failing import Failing


def timeline_view(timeline: Timeline) -> PaymentTimelineView:
    """The timeline, with the payment as the author of its note sees it."""
    note = timeline.payment.note
    return PaymentTimelineView(
        payment=payment_view(timeline.payment, note.author if note is not None else None),
        steps=[StepView(step.kind, rfc3339(step.at), dict(step.details)) for step in timeline.steps],
        events=list(timeline.events),
        audit_events=[AuditLineView(one.number, one.kind, one.by, rfc3339(one.at)) for one in timeline.audit_events],
        checkpoint=None if timeline.checkpoint is None else _checkpoint_view(timeline.checkpoint),
    )


def _checkpoint_view(of: Checkpoint) -> CheckpointView:
    return CheckpointView(of.number, rfc3339(of.at))


def solvency_over_time_view(
    now: SolvencyView, backing: Asset, differences: Sequence[Difference], points: Sequence[Point]
) -> OperatorSolvencyView:
    return OperatorSolvencyView(
        asset=now.asset,
        backing=backing.code,
        supply=now.supply,
        wallets=now.wallets,
        outside=now.outside,
        reserve=now.reserve,
        difference=now.difference,
        final_block=now.final_block,
        checked_block=now.checked_block,
        differences=[difference_view(one) for one in differences],
        points=[_point_view(one) for one in points],
    )


def _point_view(one: Point) -> SolvencyPointView:
    return SolvencyPointView(
        at=rfc3339(one.at),
        block=one.block,
        supply=one.supply.amount,
        wallets=one.wallets.amount,
        outside=one.outside.amount,
        reserve=one.reserve.amount,
        difference=one.difference.amount,
        unreconciled=one.unreconciled.amount,
    )


def relayer_view(row: Row) -> RelayerView:
    return RelayerView(**asdict(row))


def failing_view(one: Failing) -> FailingWebhookView:
    of = one.endpoint
    return FailingWebhookView(
        id=of.shown_id,
        handle=one.handle,
        host=of.host,
        description=of.description,
        types=list(of.types),
        disabled_by=of.disabled_by,
        failing_since=_time(of.failing_since),
        waiting=one.waiting,
        last_at=_time(one.last_at),
        last_outcome=one.outcome,
        last_status=one.status,
    )


def health_view(
    found: Health, checks: Sequence[tuple[str, Result]], pool: PoolView, channels: Sequence[str], now: datetime
) -> GatewayHealthView:
    return GatewayHealthView(
        at=rfc3339(now),
        queued=_waiting_views(found.queued, found.queued),
        submitted=_waiting_view("transactions", found.submitted),
        chain=None if found.chain is None else _chain_view(found.chain),
        events=found.events,
        endpoints=EndpointCountsView(**found.endpoints),
        webhooks_due_at=_time(found.webhooks_due_since),
        webhooks_behind=found.webhooks_behind,
        notifications=_waiting_views(found.notifications, {**dict.fromkeys(channels), **found.notifications}),
        notifications_behind=found.notifications_behind,
        relayers=RelayerCountsView(found.stopped, found.refused, found.low),
        worker_seen_at=_time(found.worker_seen),
        pool=pool,
        checks=[CheckView(name, result.state, result.message) for name, result in checks],
        tables=[TableView(one.name, one.rows, one.table_bytes, one.index_bytes) for one in found.sizes.tables],
        working_set_bytes=found.sizes.working_set_bytes,
        cache_bytes=found.sizes.cache_bytes,
    )


def _chain_view(of: Chain) -> ChainProgressView:
    return ChainProgressView(of.block, rfc3339(of.block_at), of.reconciled)


def _waiting_views(found: Mapping[str, Waiting], names: Mapping[str, object]) -> list[WaitingView]:
    return [_waiting_view(name, found.get(name, Waiting(0, None))) for name in names]


def _waiting_view(of: str, waiting: Waiting) -> WaitingView:
    return WaitingView(of, waiting.count, _time(waiting.oldest))


def _time(at: datetime | None) -> str | None:
    return rfc3339(at) if at is not None else None
