"""A receipt of one payment, for its payer, its payee and the operators. Pure.

Each of them sees only what they may see of the payment: a reference is shown to its author alone. A payment that has
not settled has the same page, which says that it proves nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct

from gateway.ids import WalletId, show
from gateway.notifications.texts.language import Language
from gateway.payments.model.state import State
from gateway.statements.texts import Texts

if TYPE_CHECKING:  # the process that makes PDFs (pdf/) needs none of it
    from gateway.payments.model.payment import Payment
    from gateway.payments.records.transaction import FinalBlock

#: Digits of the sum of an amount and a fee (money.py).
_DIGITS: Final = 160

#: The names of chains, by their ids (EIP-155); other chains are shown by their id.
_NETWORKS: Final = {
    1: "Ethereum",
    10: "OP Mainnet",
    137: "Polygon",
    8453: "Base",
    42161: "Arbitrum One",
    11155111: "Ethereum Sepolia",
    17000: "Ethereum Holesky",
    560048: "Ethereum Hoodi",
}


class Fact(NamedTuple):
    """A line of a receipt. `is_code`: an id or a hash, which is set small and can break anywhere."""

    name: str
    value: str
    is_code: bool = False


class Receipt(Struct, frozen=True, tag="receipt"):
    """The content of a receipt. Amounts are decimal strings; `amount` is the amount that was or will be paid."""

    locale: str
    time_zone: str
    made_for: str
    made_at: datetime
    id: str
    state: str
    from_: str
    to: str
    asset: str
    amount: str
    fee: str
    refunded: str | None
    refund_of: str | None
    memo: str | None
    reference: str | None
    failure: str | None
    created_at: datetime
    settled_at: datetime | None
    chain_id: int | None
    tx_hash: str | None
    block: int | None

    @classmethod
    def of(
        cls,
        payment: "Payment",
        viewer: WalletId | None,
        block: "FinalBlock | None",
        language: Language,
        made_for: str,
        made_at: datetime,
    ) -> "Receipt":
        """The receipt of a payment as the wallet `viewer` sees it; None: an operator, who sees no notes."""
        note = payment.note if payment.note is not None and payment.note.author == viewer else None
        return cls(
            locale=language.locale,
            time_zone=language.time_zone,
            made_for=made_for,
            made_at=made_at,
            id=show("pay", payment.id),
            state=payment.state.value,
            from_=payment.payer_name,
            to=payment.payee_name,
            asset=payment.amount.asset.code,
            amount=(payment.captured if payment.state is State.SETTLED else payment.amount).amount,
            fee=payment.fee.amount,
            refunded=payment.refunded.amount if payment.refunded.units else None,
            refund_of=show("pay", payment.refund_of) if payment.refund_of else None,
            memo=payment.memo,
            reference=note.reference if note else None,
            failure=payment.failure,
            created_at=payment.created_at,
            settled_at=payment.settled_at,
            chain_id=block.chain_id if block else None,
            tx_hash=payment.tx_hash,
            block=block.number if block else None,
        )

    @property
    def is_settled(self) -> bool:
        return self.state == State.SETTLED.value

    @property
    def language(self) -> Language:
        return Language(self.locale, self.time_zone)

    @property
    def total(self) -> str:
        """The amount with the fee, as the language writes it."""
        return self.language.amount(self.amount, self.asset)

    def title(self) -> str:
        """The title of the page."""
        say = Texts(self.locale).say
        return say("Receipt") if self.is_settled else say("Payment that is not settled")

    def warning(self) -> str:
        """The warning on a payment that has not settled; empty for others."""
        return "" if self.is_settled else Texts(self.locale).say("This does not prove that anything was paid.")

    def made(self) -> str:
        """The time of the payment."""
        return Texts(self.locale).say("Made at {time}", time=self.language.time(self.made_at))

    def facts(self) -> list[Fact]:
        """The lines, from the payer to the block."""
        return list(self._facts())

    def _facts(self) -> Iterator[Fact]:
        texts, language = Texts(self.locale), self.language
        say = texts.say
        yield Fact(say("From"), self.from_)
        yield Fact(say("To"), self.to)
        yield Fact(say("Amount"), self.total)
        if _units(self.fee):
            yield Fact(say("Fee"), language.amount(self.fee, self.asset))
            yield Fact(say("Amount and fee"), language.amount(_sum(self.amount, self.fee), self.asset))
        else:
            yield Fact(say("Fee"), say("none"))
        if self.refunded:
            yield Fact(say("Refunded of it"), language.amount(self.refunded, self.asset))
        yield Fact(say("Date"), language.time(self.created_at))
        if self.settled_at and self.settled_at != self.created_at:
            yield Fact(say("Settled at"), language.time(self.settled_at))
        yield Fact(say("State"), texts.state(self.state))
        if self.failure:
            yield Fact(say("Why it failed"), self.failure)
        if self.memo:
            yield Fact(say("Memo"), self.memo)
        if self.reference:
            yield Fact(say("Reference"), self.reference)
        yield Fact(say("Payment"), self.id, True)
        if self.refund_of:
            yield Fact(say("Refund of"), self.refund_of, True)
        if self.chain_id is not None:
            yield Fact(say("Network"), _NETWORKS.get(self.chain_id) or say("chain {id}", id=self.chain_id))
        if self.tx_hash:
            yield Fact(say("Transaction"), self.tx_hash, True)
        if self.block is not None:
            yield Fact(say("Block"), f"{self.block:,}")


def _units(amount: str) -> bool:
    return any(digit in "123456789" for digit in amount)


def _sum(*amounts: str) -> str:
    with localcontext(prec=_DIGITS):
        return f"{sum(map(Decimal, amounts)):f}"
