"""Answers about solvency: a function for each shape."""

from collections.abc import Mapping
from datetime import datetime

from gateway.api.status.shapes import FrozenView, SolvencyView
from gateway.clock import rfc3339
from gateway.reconciliation.solvency import Solvency


def solvency_view(one: Solvency, checked_block: int | None) -> SolvencyView:
    return SolvencyView(
        asset=one.asset.code,
        supply=one.supply.amount,
        wallets=one.wallets.amount,
        outside=one.outside.amount,
        reserve=one.reserve.amount,
        final_block=one.final_block,
        checked_block=checked_block,
        difference=one.difference.amount,
    )


def frozen_views(frozen: Mapping[str, datetime]) -> list[FrozenView]:
    return [FrozenView(asset, rfc3339(since)) for asset, since in frozen.items()]
