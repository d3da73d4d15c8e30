"""Which payments need an approval, rule by rule, and what loosens one."""

from datetime import timedelta
from typing import Any

import pytest
from iso4217 import Currency
from msgspec.structs import replace

from gateway.errors import InvalidRequest
from gateway.money import Asset, Assets, Money, fiat
from gateway.payments.checks import policy
from gateway.payments.checks.policy import Inputs, decide, loosens, undo_seconds
from gateway.payments.model.policy import Limit, Policy, usual_limit, usual_whole
from tests.factory import NOW


@pytest.fixture
def eur(assets: Assets) -> Asset:
    return assets["EUR"]


def inputs(asset: Asset, text: str = "1.00", **more: Any) -> Inputs:
    nothing: dict[str, Any] = {"changed_at": None, "device_since": None, "spent": Money(0, asset), "now": NOW}
    named: dict[str, Any] = {"payee": "wal_1", "is_address": False, "known": True}
    return Inputs(asset.parse(text), **{**named, **nothing, **more})


def test_what_is_small_and_to_somebody_known_goes_by_itself(eur: Asset) -> None:
    assert decide(Policy(), inputs(eur, "100.00")) == ()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"text": "100.01"}, "amount"),
        ({"known": False}, "new_payee"),
        ({"is_address": True}, "address"),
        ({"changed_at": NOW - timedelta(days=6)}, "changed_payee"),
        ({"device_since": NOW - timedelta(hours=23)}, "new_device"),
    ],
)
def test_each_rule_asks_by_itself(eur: Asset, more: dict[str, Any], reason: str) -> None:
    assert decide(Policy(), inputs(eur, **more)) == (reason,)


def test_a_day_counts_what_went_before(eur: Asset) -> None:
    assert decide(Policy(), inputs(eur, "50.00", spent=eur.parse("250.00"))) == ()
    assert decide(Policy(), inputs(eur, "50.01", spent=eur.parse("250.00"))) == ("day",)


def test_what_changed_or_was_made_long_enough_ago_is_not_asked_about(eur: Asset) -> None:
    old = inputs(eur, changed_at=NOW - timedelta(days=7), device_since=NOW - timedelta(hours=24))
    assert decide(Policy(), old) == ()


def test_trust_is_no_licence_for_any_amount_or_for_whoever_took_the_payee_over(eur: Asset) -> None:
    trusting = Policy(trusted=frozenset({"wal_1"}), undo_seconds=30)
    new = inputs(eur, known=False, is_address=True)
    assert (decide(trusting, new), undo_seconds(trusting, new)) == ((), 0)
    assert decide(trusting, replace(new, money=eur.parse("101.00"), changed_at=NOW)) == ("amount", "changed_payee")
    assert undo_seconds(trusting, replace(new, payee="wal_2")) == 30


@pytest.mark.parametrize(
    ("asset", "payment", "day"),
    [
        (fiat("EUR"), "100.00 EUR", "300.00 EUR"),
        (fiat("THB"), "2000.00 THB", "6000.00 THB"),
        (fiat("JPY"), "10000 JPY", "30000 JPY"),
        (fiat("KWD"), "20.000 KWD", "60.000 KWD"),
        (fiat("IDR"), "2000000.00 IDR", "6000000.00 IDR"),
        (Asset("THBX", "token", 6, "THB"), "2000.000000 THBX", "6000.000000 THBX"),
        (Asset("HRK", "fiat", 2), "20.00 HRK", "60.00 HRK"),
    ],
)
def test_usual_limits_are_about_as_much_in_every_currency(asset: Asset, payment: str, day: str) -> None:
    assert (str(usual_limit(asset).payment), str(usual_limit(asset).day)) == (payment, day)


def test_every_currency_that_people_pay_with_has_a_usual_limit() -> None:
    """All of ISO 4217 but units of account, and five currencies without one rate: those have the least there is."""
    rest = {one.code for one in Currency if one.exponent is not None and usual_whole(one.code) == 20} - {"KWD"}
    units = {"XAD", "BOV", "CLF", "COU", "MXV", "CHE", "CHW", "USN", "UYI", "UYW"}
    assert rest == units | {"IRR", "KPW", "SYP", "VED", "VES"}


@pytest.mark.parametrize(
    "looser",
    [
        {"approve_new_payee": False},
        {"approve_address": False},
        {"changed_payee_days": 6},
        {"new_device_hours": 23},
        {"undo_seconds": 0},
        {"trusted": frozenset({"wal_1"})},
    ],
)
def test_each_rule_that_is_relaxed_loosens_and_back_does_not(assets: Assets, looser: dict[str, Any]) -> None:
    before = Policy(undo_seconds=30)
    after = replace(before, **looser)
    assert loosens(before, after, assets)
    assert not loosens(after, before, assets)


def test_a_limit_that_is_left_out_is_the_usual_one_again_and_may_be_looser(assets: Assets, eur: Asset) -> None:
    tight = Policy({"EUR": Limit(eur.parse("1.00"), eur.parse("1.00"))})
    assert loosens(tight, Policy(), assets)
    assert not loosens(Policy(), tight, assets)


@pytest.mark.parametrize("trusted", [101])
def test_trust_has_an_end(trusted: int) -> None:
    with pytest.raises(InvalidRequest):
        policy.check(Policy(trusted=frozenset(map(str, range(trusted)))))
