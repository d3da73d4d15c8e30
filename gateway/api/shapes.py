"""What comes in and goes out. Requests refuse unknown fields; money is a decimal string, never a JSON number."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.errors import InvalidRequest
from gateway.payments.route import Route

Amount = Annotated[str, Meta(description="A positive decimal, as a string.", examples=["12.50"])]
AssetCode = Annotated[str, Meta(description="ISO 4217 code or token code.", examples=["EUR", "USDX"])]
PayeeText = Annotated[str, Meta(description="@handle, or a 0x address.", examples=["@bob"])]

Reference = Annotated[
    str,
    Meta(
        description="Your own number for it, such as an order's: 1 to 64 printable characters. Only you see it.",
        examples=["order-17"],
    ),
]
MetadataObject = Annotated[
    dict[str, str | int | float | bool],
    Meta(
        description="For your own systems: keys of 1 to 40 printable characters, 2,048 bytes in all as JSON. Only you "
        "see it. Numbers are those that every JSON reader has (RFC 8259, section 6).",
        examples=[{"shop": "berlin", "basket": 3}],
    ),
]

Signature = Annotated[str, Meta(description="0x and hex digits: 65 bytes, r, s and v, or what a contract accepts.")]
CustodyText = Annotated[
    Literal["gateway", "owner", "contract"],
    Meta(description="Who keeps the address's key: the gateway, its owner, or nobody: it is a contract."),
]


class HandleRequest(Struct, forbid_unknown_fields=True):
    handle: Annotated[str, Meta(description="2 to 30 of a-z, 0-9 and _.", examples=["alice"])]


ApiKeyHash = Annotated[
    str,
    Meta(
        description="SHA-256, in hex, of an API key that you make from 256 random bits and keep before you call; "
        "without it the gateway makes a key and shows it once.",
        pattern="^[0-9a-f]{64}$",
    ),
]


class ClaimRequest(Struct, forbid_unknown_fields=True):
    """With `api_key_hash` the claim can be repeated when its answer was lost: it finds the wallet that it made."""

    handle: Annotated[str, Meta(description="2 to 30 of a-z, 0-9 and _.", examples=["alice"])]
    api_key_hash: ApiKeyHash | None = None


class MoneyRequest(Struct, forbid_unknown_fields=True):
    amount: Amount
    asset: AssetCode


class ConversionRequest(Struct, forbid_unknown_fields=True):
    amount: Amount
    asset: AssetCode
    to_asset: AssetCode


class PaymentRequest(Struct, forbid_unknown_fields=True):
    to: PayeeText
    amount: Amount
    asset: AssetCode
    memo: Annotated[str, Meta(description="Up to 280 characters. Both sides see it.", examples=["lunch"])] | None = None
    capture: bool = True
    reference: Reference | None = None
    metadata: MetadataObject | None = None


class BulkPaymentRequest(Struct, forbid_unknown_fields=True):
    """A payment as in POST /v1/payments, with a key of its own where the caller has one."""

    to: PayeeText
    amount: Amount
    asset: AssetCode
    memo: str | None = None
    capture: bool = True
    idempotency_key: Annotated[str, Meta(description="Else made of the whole's key and the place.")] | None = None
    reference: Reference | None = None
    metadata: MetadataObject | None = None


class AmountRequest(Struct, forbid_unknown_fields=True):
    """All of it, when no amount is given."""

    amount: Amount | None = None


class RefundRequest(Struct, forbid_unknown_fields=True):
    """All that is left, when no amount is given. A refund has a reference and metadata of its own."""

    amount: Amount | None = None
    reference: Reference | None = None
    metadata: MetadataObject | None = None


class KeyExportRequest(Struct, forbid_unknown_fields=True):
    """`confirm` is a sentence, so that nobody asks for it by mistake."""

    confirm: Annotated[
        str,
        Meta(
            description="'@<handle> exports the key of <address>', word by word.",
            examples=["@alice exports the key of 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
        ),
    ]


class SignatureRequest(Struct, forbid_unknown_fields=True):
    signature: Signature


class NothingRequest(Struct, forbid_unknown_fields=True):
    """An empty object."""


class AddressRequest(Struct, forbid_unknown_fields=True):
    address: Annotated[str, Meta(examples=["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"])]


class BindRequest(Struct, forbid_unknown_fields=True):
    message: Annotated[str, Meta(description="The challenge's message, as it was.", max_length=4_000)]
    signature: Signature


class HandleView(Struct):
    handle: str
    wallet_id: str
    address: str
    custody: CustodyText


class NewHandleView(Struct):
    handle: str
    wallet_id: str
    address: str
    api_key: Annotated[str | None, Meta(description="Shown this once; null where the caller has made it.")]


class ExportedKeyView(Struct):
    address: str
    private_key: Annotated[str, Meta(description="0x and 64 hex digits. Show it to nobody.")]
    warning: str


class ChallengeView(Struct):
    message: Annotated[str, Meta(description="What to sign, as it is.")]
    address: str
    expires_at: str


class BoundView(Struct):
    handle: str
    wallet_id: str
    address: str
    custody: CustodyText


class BalanceView(Struct):
    asset: str
    kind: Literal["fiat", "token"]
    posted: str
    pending: Annotated[str | None, Meta(description="What of posted is set aside; null at a past time: not known.")]
    available: Annotated[str | None, Meta(description="The rest of posted; null at a past time: not known.")]
    final_block: Annotated[int, Meta(description="The block a token balance is final at.")] | None


class WalletView(Struct):
    handle: str
    wallet_id: str
    address: str
    custody: CustodyText
    at: Annotated[str | None, Meta(description="The past time that the balances are of; null: now.")]
    balances: list[BalanceView]


class BankMovementView(Struct):
    id: str
    state: str
    amount: str
    asset: str
    created_at: str


class ConversionView(Struct):
    id: str
    state: str
    amount: str
    asset: str
    to_amount: str
    to_asset: str
    tx_hash: str | None
    failure: str | None
    created_at: str
    settled_at: str | None


class ApprovalView(Struct):
    """Why the payer has to approve it, and until when: `amount`, `day`, `new_payee`, `address`, `changed_payee`,
    `new_device`, `before_passkey`.
    """

    reasons: list[str]
    expires_at: str | None


class PaymentView(Struct, rename={"from_": "from"}):
    id: str
    state: str
    from_: str
    to: str
    amount: str
    asset: str
    fee: str
    memo: str | None
    route: Route
    captured: str
    refunded: str
    refund_of: str | None
    tx_hash: str | None
    failure: str | None
    created_at: str
    expires_at: str | None
    settled_at: str | None
    to_sign: Annotated[
        dict[str, Any] | None,
        Meta(
            description="While a payer with a key of their own has to sign: EIP-712 typed data, as ethers and viem "
            "take it; eth_signTypedData_v4 wants EIP712Domain (name, version, chainId, verifyingContract) among its "
            "types besides."
        ),
    ]
    approval: Annotated[ApprovalView | None, Meta(description="While the payer has to approve it.")]
    undo_until: Annotated[str | None, Meta(description="Until when the payer can stop what cannot be undone after it.")]
    reference: Annotated[str | None, Meta(description="Shown to the wallet that wrote it, and to nobody else.")]
    metadata: Annotated[
        dict[str, str | int | float | bool] | None,
        Meta(description="Shown to the wallet that wrote it, and to nobody else."),
    ]


class BulkResultView(Struct, omit_defaults=True):
    """What became of one payment. `status` is what it would have been answered alone."""

    index: int
    status: int
    id: str | None = None
    state: str | None = None
    problem: dict[str, Any] | None = None
    replayed: Annotated[bool, Meta(description="Present when the line's key had paid it already: nothing moved.")] = (
        False
    )


class PreviewView(Struct):
    route: Route
    fee: str
    available_after: Annotated[str, Meta(description="Below zero where the payment would be refused.")]
    approval: Annotated[list[str], Meta(description="Why it would have to be approved; empty: it goes by itself.")]


class PaymentsPage(Struct):
    items: list[PaymentView]
    next_cursor: str | None


class EntryView(Struct, rename={"from_": "from"}):
    number: int
    asset: str
    amount: str
    side: Literal["debit", "credit"]
    balance: str
    payment_id: str | None
    purpose: str
    reference: str | None
    from_: Annotated[str, Meta(description="Of an observation: who sent the tokens, @handle or address.")] | None
    to: Annotated[str, Meta(description="Of an observation: where they went.")] | None
    posted_at: str


class EntriesPage(Struct):
    items: list[EntryView]
    next_cursor: str | None


class EventView(Struct):
    number: int
    kind: str
    facts: dict[str, object]
    at: str


class EventsPage(Struct):
    items: list[EventView]
    next_after: int


class SolvencyView(Struct):
    asset: str
    supply: str
    wallets: str
    outside: str
    reserve: str
    final_block: int | None
    checked_block: Annotated[int, Meta(description="So far it was held against the chain.")] | None
    difference: str


class FrozenView(Struct):
    """An asset, token or currency, whose withdrawals are stopped."""

    asset: str
    since: str


class SolvencyPage(Struct):
    items: list[SolvencyView]
    frozen: list[FrozenView]


class HealthView(Struct):
    status: Literal["ok"]


class ReadyView(Struct):
    """`ok`: payments are taken. Where node or worker are not, those of tokens wait."""

    status: Literal["ok"]
    node: Annotated[
        Literal["ok", "away", "behind", "replaced", "not_set"],
        Meta(description="behind: it has not the block yet that the book is at; replaced: it has another there."),
    ]
    worker: Annotated[Literal["ok", "late", "none"], Meta(description="late: none has done its rounds for 30 seconds.")]
    relayers: Annotated[
        Literal["ok", "refused", "late"],
        Meta(
            description="refused: a node does not take what is sent to it; late: what was sent does not become final."
        ),
    ]
    reason: Annotated[str | None, Meta(description="Why relayers are not ok.")]
    recovery: Annotated[
        str | None, Meta(description="Why token payments are refused until operators have confirmed, after a restore.")
    ] = None


def check_time(name: str, moment: datetime) -> None:
    """Raises InvalidRequest for a time that is one only with its offset: PostgreSQL is given all times in UTC."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise InvalidRequest(name, f"{name} is outside the years 1 to 9999 in UTC") from None


def signature_bytes(text: str) -> bytes:
    """The bytes that a signature's text says. Raises InvalidRequest."""
    digits = text.removeprefix("0x")
    if not text.startswith("0x") or len(digits) % 2 or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise InvalidRequest("signature", "a signature is 0x and hex digits, two for each byte")
    return bytes.fromhex(digits)
