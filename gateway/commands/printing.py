"""Tables for people. Amounts are aligned at their last digit."""

from collections.abc import Mapping, Sequence
from typing import Any


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Lines of a plain table: two spaces between columns, the columns in `right` aligned at their right."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = []
    for row in [heads, *rows]:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def balances_table(before: Mapping[tuple[str, str], str], after: Mapping[tuple[str, str], str]) -> list[str]:
    """Available balances before and after, fiat and tokens side by side per handle; what is zero is left out."""
    handles = list(dict.fromkeys(handle for handle, _ in after))
    assets = [
        asset
        for asset in dict.fromkeys(asset for _, asset in after)
        if any(_some(before, after, handle, asset) for handle in handles)
    ]
    rows = []
    for handle in handles:
        for when, balances in (("before", before), ("after", after)):
            rows.append([f"@{handle}", when, *(balances.get((handle, asset), "") for asset in assets)])
    return table(["handle", "", *assets], rows, right=range(2, len(assets) + 2))


def _some(before: Mapping[tuple[str, str], str], after: Mapping[tuple[str, str], str], handle: str, asset: str) -> bool:
    return any(balances.get((handle, asset), "0").strip("0.") for balances in (before, after))


def payment_line(payment: Mapping[str, Any]) -> str:
    """One payment in one line."""
    what = f"{payment['from']} paid {payment['to']} {payment['amount']} {payment['asset']}"
    how = f"{payment['state']} by the {payment['route']['rail']}, {payment['id']}"
    return f"{what}: {how}" + (f", {payment['tx_hash']}" if payment["tx_hash"] else "")
