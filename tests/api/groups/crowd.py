"""A crowd: the people who pay each other, with their money, keys, limits and a passkey."""

from dataclasses import dataclass, field
from decimal import Decimal

from gateway.ledger import ledger
from gateway.money import Asset, Assets
from gateway.postgres.pool import connect
from tests.api.browser import browsing
from tests.api.conftest import Api, Person, opened
from tests.api.test_approvals import approve, waiting
from tests.api.test_keys import made
from tests.api.test_mandates import granted

#: A currency that was taken out of the settings: what there is of it is still paid.
CLOSED = Asset("HRK", "fiat", 2)

#: People who pay each other, and those who are only paid: the shop by most.
PAYERS = ("ann", "ben", "cyd", "dee", "poor")
PAID_ONLY = ("sue", "sid")
NEWCOMERS = tuple(f"new{n}" for n in range(6))  #: Nobody has paid them yet: their accounts are not open.
EVERYBODY = (*PAYERS, "shop", *PAID_ONLY, *NEWCOMERS, "pat", "fred", "grace")


@dataclass
class Crowd:
    """The people, by what they show; what their keys and mandates leave them is the model's to know."""

    keys: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    bad: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    capped: dict[str, "Capped"] = field(default_factory=dict)
    session: tuple[bytes, bytes] = (b"", b"")
    mandate: str = ""


@dataclass
class Capped:
    """A key with a cap, or a mandate: whose, what for, the most at once, and what is left of its period."""

    who: str
    credential: tuple[bytes, bytes]
    asset: str
    once: Decimal
    left: Decimal


def bearer(api_key: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {api_key}".encode()


async def settle_in(api: Api) -> Crowd:
    """Give everybody what they have when the story begins."""
    crowd, people = Crowd(), dict[str, Person]()
    for who in ("ann", "ben", "cyd", "dee"):
        people[who] = await api.person(who, "60.00 EUR", "4000 JPY", "30 USDX")
    people["poor"] = await api.person("poor", "4.00 EUR", "2 USDX")
    people["shop"] = await api.person("shop", "20.00 EUR", "500 JPY", "5.00 HRK")
    for who in PAID_ONLY:
        people[who] = await api.person(who, "1.00 EUR", "1 JPY")
    for who in NEWCOMERS:
        people[who] = await api.person(who)
    people["pat"] = await api.person("pat", "60.00 EUR")
    ann = people["ann"]
    await ann.receive("9.00 HRK")

    fred = people["fred"] = await api.person("fred", "50.00 EUR")
    paid = (await fred.pay("@shop", "1.00 EUR")).json()
    assert (await fred.post(f"/v1/payments/{paid['id']}/report-unauthorized", b"")).status_code == 200

    people["grace"], passkey, browser = await browsing(api, "grace", "900.00 EUR", "50 USDX")
    await approve(people["grace"], passkey, await waiting(people["grace"], "@shop", "1.00 EUR"))
    crowd.session = (b"cookie", browser.cookie.encode())

    for who, asset, once, day in (
        *(("ann", "EUR", "2.50", "12.00"), ("ben", "EUR", "1.00", "40.00"), ("cyd", "USDX", "2.00", "9.00")),
        *(("dee", "EUR", "3.00", "9.00"), ("poor", "EUR", "1.00", "6.00")),
    ):
        _, key = await made(people[who], caps=[{"asset": asset, "payment": once, "day": day}])
        crowd.capped[f"{who}'s till"] = Capped(who, bearer(key), asset, Decimal(once), Decimal(day))
    crowd.mandate = await granted(ann, period="10.00", draw="3.00")
    crowd.capped["the mandate"] = Capped("ann", bearer(people["shop"].api_key), "EUR", Decimal(3), Decimal(10))

    id, revoked = await made(people["ben"])
    await api.call("DELETE", f"/v1/keys/{id}", headers=people["ben"].bearer)
    _, expired = await made(people["cyd"], expires_in=60)
    _, reader = await made(people["dee"], scopes=["read"])
    crowd.bad = {
        "a revoked key": bearer(revoked),
        "an expired key": bearer(expired),
        "a key that reads": bearer(reader),
        "no such key": bearer("gw_" + "0" * 40),
    }
    crowd.keys = {who: bearer(person.api_key) for who, person in people.items()}
    return crowd


def known(api: Api, crowd: Crowd, who: str) -> Person:
    """Somebody of the crowd, at another gateway."""
    return Person(api, who, crowd.keys[who][1].decode().removeprefix("Bearer "), "", "")


async def founded(dsn: str, assets: Assets) -> Crowd:
    """The crowd, in a database that nobody is connected to afterwards, so that it can be copied."""
    wide = Assets([*assets, CLOSED])
    async with connect(dsn, connections=8) as database:
        async with database.transaction() as connection:
            await ledger.declare(connection, Assets([CLOSED]))
        async with opened(database, wide) as api:
            crowd = await settle_in(api)
        # A batch is one commit where all accounts are open that it needs; the fees' of other assets are not.
        async with opened(database, wide, fee_basis_points=100) as api:
            assert (await known(api, crowd, "shop").pay("@ann", "1.00 EUR")).json()["fee"] == "0.01"
    return crowd
