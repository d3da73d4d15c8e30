"""A new way to name a payee is one class: here `test:bob`, which no module of the gateway knows."""

from collections.abc import AsyncIterator, Collection, Mapping

import pytest

from gateway.chain.token.contract import Contract
from gateway.identity import wallet
from gateway.money import Assets
from gateway.payments.errors import SelfPayment, UnknownPayee
from gateway.payments.payees import RESOLVERS
from gateway.payments.payees.lookup import find_payees
from gateway.payments.payees.resolver import Payee, PayeeResolver
from gateway.postgres.pool import Connection, Database
from tests.api.conftest import Api, code_of, opened
from tests.databases import statements

pytestmark = pytest.mark.anyio


class TestNames(PayeeResolver):
    """Names such as `test:bob`, in any case, of whoever has that handle."""

    __test__ = False

    def recognizes(self, to: str) -> bool:
        return to.lower().startswith("test:")

    def read(self, to: str) -> str:
        if " " in to:
            raise UnknownPayee(to, "a test name has no spaces")
        return to.lower()

    async def find(
        self, connection: Connection, contracts: Mapping[str, Contract], names: Collection[str]
    ) -> Mapping[str, Payee | str]:
        found = await wallet.by_handles(connection, [name.removeprefix("test:") for name in names])
        payees = {f"test:{handle}": Payee(one, one.address) for handle, one in found.items()}
        return {name: payees.get(name, "no test has this name") for name in names}


@pytest.fixture
async def api(database: Database, assets: Assets) -> AsyncIterator[Api]:
    async with opened(database, assets, payees=(TestNames(), *RESOLVERS)) as api:
        yield api


async def test_a_payee_named_in_a_new_way_is_paid(api: Api) -> None:
    alice, bob = await api.person("alice", "10.00 EUR"), await api.person("bob")

    paid = await alice.pay("test:bob", "4.00 EUR")

    assert (paid.status_code, paid.json()["to"]) == (201, "@bob")
    assert await bob.balance("EUR") == ("4.00", "0.00", "4.00")


async def test_another_spelling_of_a_new_kind_of_name_is_the_same_request(api: Api) -> None:
    alice, bob = await api.person("alice", "10.00 EUR"), await api.person("bob")

    first = await alice.pay("test:bob", "4.00 EUR", key="k")
    again = await alice.pay("TEST:Bob", "4.00 EUR", key="k")
    other = await alice.pay("@bob", "4.00 EUR", key="k")

    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    assert code_of(other) == (422, "idempotency_key_reused")
    assert await bob.balance("EUR") == ("4.00", "0.00", "4.00")


async def test_a_resolver_says_why_nobody_is_paid(api: Api) -> None:
    alice = await api.person("alice", "10.00 EUR")

    for to, why in (("test:nobody", "no test has this name"), ("test: bob", "a test name has no spaces")):
        refused = await alice.pay(to, "1.00 EUR")
        assert code_of(refused) == (404, "unknown_payee")
        assert why in refused.json()["detail"]
    assert code_of(await alice.pay("test:alice", "1.00 EUR")) == (422, "self_payment")


async def test_each_resolver_is_asked_once_for_all_of_its_names(api: Api) -> None:
    alice, bob = await api.person("alice"), await api.person("bob")
    to = ["@bob", "Bob", "test:bob", "TEST:alice", "test:nobody", bob.address, alice.address.lower(), "0x12"]
    async with api.services.database.reading() as connection:
        payer = await wallet.by_handle(connection, "alice")
        with statements(connection) as sent:
            found = await find_payees(connection, api.services.settings, [(payer, one) for one in to * 10])

    assert [one.wallet.handle if isinstance(one, Payee) and one.wallet else type(one) for one in found[:8]] == [
        *("bob", "bob", "bob", SelfPayment, UnknownPayee, "bob", SelfPayment, UnknownPayee)
    ]
    # Wallets by handle, for each kind of name; wallets by address; relayers; which wallets are closed.
    assert len(sent) == 5


async def test_a_text_that_no_resolver_recognizes_is_refused(database: Database, assets: Assets) -> None:
    async with opened(database, assets, payees=(TestNames(),)) as api:
        alice = await api.person("alice", "10.00 EUR")

        assert code_of(await alice.pay("@Bob", "1.00 EUR")) == (404, "unknown_payee")
