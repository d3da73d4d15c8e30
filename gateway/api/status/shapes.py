"""Answers about the gateway's status."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.api.fields import AssetCode, Decimal, Time


class SolvencyView(Struct):
    """The supply of a token, its holders and its reserve."""

    asset: AssetCode
    supply: Annotated[Decimal, Meta(description="The supply of the token.")]
    wallets: Annotated[Decimal, Meta(description="The balance of all wallets of the gateway.")]
    outside: Annotated[Decimal, Meta(description="The balance of all other addresses.")]
    reserve: Annotated[Decimal, Meta(description="The currency that backs it.")]
    final_block: int | None
    checked_block: (
        Annotated[int, Meta(description="The final block up to which the ledger was reconciled with the chain.")] | None
    )
    difference: Annotated[Decimal, Meta(description="The difference; zero if everything adds up.")]


class FrozenView(Struct):
    """An asset, token or currency, whose withdrawals are frozen."""

    asset: AssetCode
    since: Time


class SolvencyPage(Struct):
    items: list[SolvencyView]
    frozen: list[FrozenView]


class HealthView(Struct):
    status: Literal["ok"]


class ReadyView(Struct):
    """`ok`: payments are accepted. If the node or the worker is not ok, token payments wait."""

    status: Literal["ok"]
    node: Annotated[
        Literal["ok", "away", "behind", "replaced", "not_set"],
        Meta(description="behind: it lacks the block that the ledger is at; replaced: it has another block there."),
    ]
    worker: Annotated[Literal["ok", "late", "none"], Meta(description="late: no worker has run for 30 seconds.")]
    relayers: Annotated[
        Literal["ok", "refused", "late"],
        Meta(description="refused: a node refuses their transactions; late: their transactions do not become final."),
    ]
    reason: Annotated[str | None, Meta(description="Why the relayers are not ok.")]
    recovery: Annotated[
        str | None, Meta(description="Why token payments are refused until operators have confirmed, after a restore.")
    ] = None
