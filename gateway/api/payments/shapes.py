"""What comes in and goes out. Requests refuse unknown fields; money is a decimal string, never a JSON number.

A field's type says in words, and with a format, a pattern or an example, what openapi.py shows of it. What a pattern or
`one_of` says of a request's field is shown and not checked here: whatever reads the value refuses it in its own words.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct

from gateway.errors import InvalidRequest
from gateway.http.schema import one_of, typed_id
from gateway.identity.credential import Scope
from gateway.payments.checks.policy import Reason
from gateway.payments.model.payment import State
from gateway.payments.model.route import Route

Amount = Annotated[
    str,
    Meta(
        description="A positive decimal, as a string, with no more decimals than the asset has.",
        examples=["12.50"],
        extra_json_schema={"pattern": r"^(0|[1-9]\d*)(\.\d+)?$"},
    ),
]
Decimal = Annotated[
    str,
    Meta(
        description="A decimal, as a string, with all decimals of the asset.",
        examples=["12.50"],
        extra_json_schema={"pattern": r"^-?(0|[1-9]\d*)(\.\d+)?$"},
    ),
]
AssetCode = Annotated[str, Meta(description="ISO 4217 code, or the code of a token.", examples=["EUR", "USDX"])]
PayeeText = Annotated[str, Meta(description="@handle, or a 0x address.", examples=["@bob"])]
Party = Annotated[str, Meta(description="@handle, or the address of somebody without one.", examples=["@alice"])]
HandleText = Annotated[
    str,
    Meta(
        description="A handle: 2 to 30 of a-z, 0-9 and _. Other cases and a leading @ are understood.",
        examples=["alice"],
    ),
]
Handle = Annotated[str, Meta(description="A handle, without the @.", examples=["alice"])]
Address = Annotated[
    str,
    Meta(
        description="An Ethereum address, with the checksum of EIP-55.",
        examples=["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
        extra_json_schema={"pattern": "^0x[0-9a-fA-F]{40}$"},
    ),
]
TxHash = Annotated[
    str,
    Meta(
        description="The chain transaction that it is in; null: in none yet, or not on the chain.",
        extra_json_schema={"pattern": "^0x[0-9a-f]{64}$"},
    ),
]
Time = Annotated[
    str,
    Meta(
        description="RFC 3339, in UTC, to the microsecond.",
        examples=["2030-01-31T12:00:00.000000Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
PaymentIdText = Annotated[str, typed_id("pay", "A payment's id.")]
WalletIdText = Annotated[str, typed_id("wal", "A wallet's id. It stays the same when the wallet gets another address.")]
PaymentState = Annotated[str, one_of([state.value for state in State], "Where the payment is in its life.")]
ReasonText = Annotated[str, one_of(get_args(Reason), "Why an approval is needed.")]
ScopeText = Annotated[str, one_of(get_args(Scope), "What a key may do.")]
MemoText = Annotated[str, Meta(description="Up to 280 characters. Both sides see it.", examples=["lunch"])]
NextCursor = Annotated[
    str | None, Meta(description="Pass it as `cursor` for the next page; null: this is the last page.")
]

Reference = Annotated[
    str,
    Meta(
        description="Your own number for it, such as of an order: 1 to 64 printable characters. Only you see it.",
        examples=["order-17"],
    ),
]
MetadataObject = Annotated[
    dict[str, str | int | float | bool],
    Meta(
        title="Metadata",
        description="For your own systems: keys of 1 to 40 printable characters, 2,048 bytes in all as JSON. Only you "
        "see it. Numbers are those that every JSON reader has (RFC 8259, section 6).",
        examples=[{"shop": "berlin", "basket": 3}],
    ),
]

TypedData = Annotated[
    dict[str, Any],
    Meta(
        title="TypedData",
        description="EIP-712 typed data to sign, as ethers and viem take it. eth_signTypedData_v4 needs EIP712Domain "
        "(name, version, chainId, verifyingContract) among its types too.",
        extra_json_schema={
            "required": ["domain", "types", "primaryType", "message"],
            "properties": {
                "domain": {"type": "object", "additionalProperties": True},
                "types": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["name", "type"],
                            "properties": {"name": {"type": "string"}, "type": {"type": "string"}},
                        },
                    },
                },
                "primaryType": {"type": "string"},
                "message": {"type": "object", "additionalProperties": True},
            },
        },
    ),
]

Signature = Annotated[
    str,
    Meta(
        description="0x and hex digits: 65 bytes (r, s, v), EIP-2098's 64, or what the contract there accepts.",
        extra_json_schema={"pattern": "^0x([0-9a-fA-F]{2})*$"},
    ),
]
CustodyText = Annotated[
    Literal["gateway", "owner", "contract"],
    Meta(description="Who keeps the address's key: the gateway, its owner, or nobody, since it is a contract."),
]


Capture = Annotated[bool, Meta(description="false: hold the money, to capture or void it later.")]


class HandleRequest(Struct, forbid_unknown_fields=True):
    handle: HandleText


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

    handle: HandleText
    api_key_hash: ApiKeyHash | None = None


class MoneyRequest(Struct, forbid_unknown_fields=True):
    amount: Amount
    asset: AssetCode


class ConversionRequest(Struct, forbid_unknown_fields=True):
    """`amount` of `asset`, into as much of `to_asset`."""

    amount: Amount
    asset: AssetCode
    to_asset: AssetCode


class PaymentRequest(Struct, forbid_unknown_fields=True):
    to: PayeeText
    amount: Amount
    asset: AssetCode
    memo: MemoText | None = None
    capture: Capture = True
    reference: Reference | None = None
    metadata: MetadataObject | None = None


class BulkPaymentRequest(Struct, forbid_unknown_fields=True):
    """A payment as in POST /v1/payments, with an idempotency key of its own where the caller has one."""

    to: PayeeText
    amount: Amount
    asset: AssetCode
    memo: MemoText | None = None
    capture: Capture = True
    idempotency_key: (
        Annotated[str, Meta(description="By default made of the key of the whole and the place in it.")] | None
    ) = None
    reference: Reference | None = None
    metadata: MetadataObject | None = None


class AmountRequest(Struct, forbid_unknown_fields=True):
    """Without an amount, all of it."""

    amount: Amount | None = None


class RefundRequest(Struct, forbid_unknown_fields=True):
    """Without an amount, all that is left. A refund has a reference and metadata of its own."""

    amount: Amount | None = None
    reference: Reference | None = None
    metadata: MetadataObject | None = None


class KeyExportRequest(Struct, forbid_unknown_fields=True):
    """`confirm` is a sentence, so that nobody exports a key by mistake."""

    confirm: Annotated[
        str,
        Meta(
            description="`@<handle> exports the key of <address>`, word for word.",
            examples=["@alice exports the key of 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
        ),
    ]


class SignatureRequest(Struct, forbid_unknown_fields=True):
    signature: Signature


class NothingRequest(Struct, forbid_unknown_fields=True):
    """An empty object."""


class AddressRequest(Struct, forbid_unknown_fields=True):
    address: Address


class BindRequest(Struct, forbid_unknown_fields=True):
    message: Annotated[str, Meta(description="The challenge's message, byte for byte.", max_length=4_000)]
    signature: Signature


class HandleView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
    custody: CustodyText


class NewHandleView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
    api_key: Annotated[str | None, Meta(description="Shown this once; null where the caller has made it.")]


class ExportedKeyView(Struct):
    address: Address
    private_key: Annotated[str, Meta(description="0x and 64 hex digits. Show it to nobody.")]
    warning: Annotated[str, Meta(description="What whoever has the key can do, for the owner to read.")]


class ChallengeView(Struct):
    message: Annotated[str, Meta(description="What to sign, byte for byte.")]
    address: Address
    expires_at: Time


class BoundView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
    custody: CustodyText


class BalanceView(Struct):
    asset: AssetCode
    kind: Annotated[Literal["fiat", "token"], Meta(description="Where it is: in the ledger, or on the chain.")]
    posted: Annotated[Decimal, Meta(description="What the wallet has: `pending` and `available` together.")]
    pending: Annotated[
        Decimal | None, Meta(description="What of `posted` is set aside for payments; null at a past time: not known.")
    ]
    available: Annotated[
        Decimal | None, Meta(description="What of `posted` can be paid; null at a past time: not known.")
    ]
    final_block: Annotated[int, Meta(description="The block at which a token balance is final.")] | None


class WalletView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
    custody: CustodyText
    at: Annotated[Time | None, Meta(description="The past time that the balances are of; null: now.")]
    balances: list[BalanceView]


class BankMovementView(Struct):
    id: Annotated[str, Meta(description="`dep_…` or `wdr_…`.", examples=["dep_01h455vb4pex5vsknk084sn02q"])]
    state: Annotated[str, one_of(["settled"], "The sandbox bank settles at once.")]
    amount: Decimal
    asset: AssetCode
    created_at: Time


class ConversionView(Struct):
    id: Annotated[str, typed_id("cnv", "A conversion's id.")]
    state: Annotated[str, one_of(["queued", "submitted", "settled", "failed"], "Where the conversion is in its life.")]
    amount: Decimal
    asset: AssetCode
    to_amount: Decimal
    to_asset: AssetCode
    tx_hash: TxHash | None
    failure: Annotated[str | None, Meta(description="Why it failed.")]
    created_at: Time
    settled_at: Time | None


class ApprovalView(Struct):
    """Why the payer has to approve a payment, and until when."""

    reasons: list[ReasonText]
    expires_at: Annotated[Time | None, Meta(description="Then the payment expires, and its money is available again.")]


class PaymentView(Struct, rename={"from_": "from"}):
    """A request that money goes from a payer to a payee, and what became of it."""

    id: PaymentIdText
    state: PaymentState
    from_: Party
    to: Party
    amount: Decimal
    asset: AssetCode
    fee: Annotated[Decimal, Meta(description="What the payer pays on top of the amount, in its asset.")]
    memo: MemoText | None
    route: Route
    captured: Annotated[Decimal, Meta(description="What was paid of the amount so far.")]
    refunded: Annotated[Decimal, Meta(description="What of it was given back.")]
    refund_of: Annotated[PaymentIdText | None, Meta(description="The payment that this one refunds.")]
    tx_hash: TxHash | None
    failure: Annotated[str | None, Meta(description="Why it failed.")]
    created_at: Time
    expires_at: Annotated[
        Time | None, Meta(description="Until when it can be captured, approved or signed; then it expires.")
    ]
    settled_at: Time | None
    to_sign: Annotated[TypedData | None, Meta(description="While a payer with an own key has to sign.")]
    approval: Annotated[ApprovalView | None, Meta(description="While the payer has to approve it.")]
    undo_until: Annotated[
        Time | None, Meta(description="Until when the payer can void a payment that cannot be undone after it.")
    ]
    reference: Annotated[Reference | None, Meta(description="Shown to the wallet that wrote it, and to nobody else.")]
    metadata: Annotated[
        MetadataObject | None, Meta(description="Shown to the wallet that wrote it, and to nobody else.")
    ]


class BulkResultView(Struct, omit_defaults=True):
    """What became of one payment of many: `status` is the status that it would have been answered with alone."""

    index: Annotated[int, Meta(description="The payment's place, from 0.")]
    status: int
    id: PaymentIdText | None = None
    state: PaymentState | None = None
    problem: Annotated[dict[str, Any], Meta(extra_json_schema={"title": "Problem"})] | None = None
    replayed: Annotated[bool, Meta(description="Present when the line's key had paid it already: nothing moved.")] = (
        False
    )


class PreviewView(Struct):
    """What a payment would be like."""

    route: Route
    fee: Decimal
    available_after: Annotated[Decimal, Meta(description="Below zero where the payment would be refused.")]
    approval: Annotated[list[ReasonText], Meta(description="Why it would need an approval; empty: it would need none.")]


class PaymentsPage(Struct):
    items: list[PaymentView]
    next_cursor: NextCursor


class EntryView(Struct, rename={"from_": "from"}):
    """One line of the statement of an asset."""

    number: Annotated[int, Meta(description="The entries of an account are numbered from 1, without gaps.")]
    asset: AssetCode
    amount: Decimal
    side: Annotated[Literal["debit", "credit"], Meta(description="debit: out of the wallet; credit: into it.")]
    balance: Annotated[Decimal, Meta(description="What the wallet had after it.")]
    payment_id: PaymentIdText | None
    purpose: Annotated[
        str, Meta(description="What moved it: `payment`, `refund`, `deposit`, `withdrawal`, `conversion`, …")
    ]
    reference: Annotated[str | None, Meta(description="The id of what moved it.")]
    from_: Annotated[Party, Meta(description="Of an observation: who sent the tokens.")] | None
    to: Annotated[Party, Meta(description="Of an observation: where they went.")] | None
    posted_at: Time


class EntriesPage(Struct):
    items: list[EntryView]
    next_cursor: NextCursor


class EventView(Struct):
    number: int
    kind: Annotated[str, Meta(description="What happened. More kinds may come.", examples=["payment.settled"])]
    facts: Annotated[dict[str, Any], Meta(description="The values of the event, which depend on its kind.")]
    at: Time


class EventsPage(Struct):
    items: list[EventView]
    next_after: Annotated[int, Meta(description="Pass it as `after` to read on.")]


class SolvencyView(Struct):
    """What there is of a token, and what backs it."""

    asset: AssetCode
    supply: Annotated[Decimal, Meta(description="What the token's contract has issued.")]
    wallets: Annotated[Decimal, Meta(description="What the gateway's wallets have of it.")]
    outside: Annotated[Decimal, Meta(description="What other addresses have of it.")]
    reserve: Annotated[Decimal, Meta(description="The currency that backs it.")]
    final_block: int | None
    checked_block: (
        Annotated[int, Meta(description="The final block up to which the ledger was reconciled with the chain.")] | None
    )
    difference: Annotated[Decimal, Meta(description="What does not add up; zero where all does.")]


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
    """`ok`: payments are accepted. Where the node or the worker are not ok, token payments wait."""

    status: Literal["ok"]
    node: Annotated[
        Literal["ok", "away", "behind", "replaced", "not_set"],
        Meta(description="behind: it lacks the block that the ledger is at; replaced: it has another block there."),
    ]
    worker: Annotated[Literal["ok", "late", "none"], Meta(description="late: no worker has run for 30 seconds.")]
    relayers: Annotated[
        Literal["ok", "refused", "late"],
        Meta(description="refused: a node refuses what is sent to it; late: what was sent does not become final."),
    ]
    reason: Annotated[str | None, Meta(description="Why the relayers are not ok.")]
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
