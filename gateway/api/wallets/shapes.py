"""The bodies of requests and answers. Requests refuse unknown fields."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.api.fields import (
    Address,
    AssetCode,
    CustodyText,
    Decimal,
    Handle,
    NextCursor,
    Party,
    PaymentIdText,
    Time,
    WalletIdText,
)


class KeyExportRequest(Struct, forbid_unknown_fields=True):
    """`confirm` is a sentence, so that nobody exports a key by mistake."""

    confirm: Annotated[
        str,
        Meta(
            description="`@<handle> exports the key of <address>`, word for word.",
            examples=["@alice exports the key of 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
        ),
    ]


class CloseRequest(Struct, forbid_unknown_fields=True):
    """`confirm` is a sentence, so that nobody closes a wallet by mistake."""

    confirm: Annotated[
        str,
        Meta(
            description="`@<handle> closes this wallet for ever`, word for word.",
            examples=["@alice closes this wallet for ever"],
        ),
    ]


class ClosedWalletView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    closed_at: Time


class ExportedKeyView(Struct):
    address: Address
    private_key: Annotated[str, Meta(description="0x and 64 hex digits. Show it to nobody.")]
    warning: Annotated[str, Meta(description="A warning to the owner: what anybody with the key can do.")]


class BalanceView(Struct):
    asset: AssetCode
    kind: Annotated[
        Literal["fiat", "token"], Meta(description="The rail of the asset: in the ledger, or on the chain.")
    ]
    posted: Annotated[Decimal, Meta(description="The balance: `pending` and `available` together.")]
    pending: Annotated[
        Decimal | None, Meta(description="The part of `posted` that is on hold; null at a past time: not known.")
    ]
    available: Annotated[
        Decimal | None, Meta(description="The part of `posted` that can be paid; null at a past time: not known.")
    ]
    final_block: Annotated[int, Meta(description="The block at which a token balance is final.")] | None


class WalletFreezeView(Struct):
    """A reason why the wallet is frozen. It is unfrozen when the last reason has ended."""

    placed_at: Time
    by: Annotated[Literal["owner", "operators"], Meta(description="Who froze it.")]
    payment: Annotated[
        PaymentIdText | None, Meta(description="The payment that the owner reported as unauthorized; null: operators.")
    ]
    unfreezes_at: Annotated[
        Time | None, Meta(description="From then on the owner's passkey can end it; null: only operators can.")
    ]
    expires_at: Annotated[
        Time | None, Meta(description="When it expires unless operators approve it; null: it does not expire.")
    ]


class WalletView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
    custody: CustodyText
    at: Annotated[Time | None, Meta(description="The past time of the balances; null: now.")]
    balances: list[BalanceView]
    frozen_at: Annotated[Time | None, Meta(description="Since when it is frozen; null: it is not.")]
    freezes: Annotated[list[WalletFreezeView], Meta(description="The reasons in force, newest first, up to twenty.")]


class EntryView(Struct, rename={"from_": "from"}):
    """One line of the statement of an asset."""

    number: Annotated[int, Meta(description="The entries of an account are numbered from 1, without gaps.")]
    asset: AssetCode
    amount: Decimal
    side: Annotated[Literal["debit", "credit"], Meta(description="debit: out of the wallet; credit: into it.")]
    balance: Annotated[Decimal, Meta(description="The balance after it.")]
    payment_id: PaymentIdText | None
    purpose: Annotated[
        str, Meta(description="The kind of its subject: `payment`, `refund`, `deposit`, `withdrawal`, `conversion`, …")
    ]
    reference: Annotated[str | None, Meta(description="The id of its subject.")]
    from_: Annotated[Party, Meta(description="The sender of an observation's tokens.")] | None
    to: Annotated[Party, Meta(description="The receiver of an observation's tokens.")] | None
    posted_at: Time


class EntriesPage(Struct):
    items: list[EntryView]
    next_cursor: NextCursor


class AccountStatementView(Struct):
    """A period of one asset: `opening` + `paid_in` - `paid_out` = `closing`."""

    asset: AssetCode
    opening: Annotated[Decimal, Meta(description="The balance at the beginning of the period.")]
    paid_in: Decimal
    paid_out: Decimal
    closing: Annotated[Decimal, Meta(description="The balance at the end of the period, or now if it has not ended.")]
    entries: Annotated[int, Meta(description="The number of entries.")]


class StatementView(Struct, rename={"from_": "from"}):
    handle: Handle
    wallet_id: WalletIdText
    from_: Annotated[Time, Meta(description="The beginning of the period, inclusive.")]
    until: Annotated[Time, Meta(description="The end of the period, exclusive.")]
    time_zone: Annotated[
        str, Meta(description="The time zone in which a month begins at midnight (IANA).", examples=["Asia/Bangkok"])
    ]
    made_at: Time
    accounts: list[AccountStatementView]
