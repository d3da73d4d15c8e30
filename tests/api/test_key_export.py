"""The key of one's own address, handed over to who asks for it in so many words."""

import logging

import pytest

from gateway.keys.signer import RelayerSigner
from tests.api.conftest import Api, code_of

pytestmark = pytest.mark.anyio

PATH = "/v1/wallet/key/export"


async def test_the_owner_who_says_so_has_the_key_of_the_address_with_a_warning_and_nobody_keeps_the_answer(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await api.person("alice")
    confirm = {"confirm": f"@alice exports the key of {alice.address}"}

    with caplog.at_level(logging.DEBUG):
        answers = [await alice.post(PATH, confirm) for _ in range(2)]

    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert RelayerSigner(bytes.fromhex(answer.json()["private_key"][2:])).address == alice.address
        assert answer.json()["warning"].startswith("Anybody who sees this key can take every token")
    events = (await alice.get("/v1/events")).json()["items"]
    assert [(one["type"], one["data"]["address"]) for one in events[1:]] == [("wallet.key_exported", alice.address)] * 2
    assert f"the key of {alice.address} was exported to its owner, @alice" in caplog.text
    assert answers[0].json()["private_key"][2:] not in caplog.text + str(events)


@pytest.mark.parametrize(
    "confirm", ["", "yes", "@alice exports the key of 0x" + 40 * "1", "@bob exports the key of {address}"]
)
async def test_who_does_not_say_it_word_by_word_is_told_what_to_say_and_has_nothing(api: Api, confirm: str) -> None:
    alice = await api.person("alice")

    refused = await alice.post(PATH, {"confirm": confirm.format(address=alice.address)})

    assert code_of(refused) == (400, "invalid_request")
    assert refused.json()["type"].endswith(":confirm")
    assert f"@alice exports the key of {alice.address}" in refused.json()["detail"]
    assert [one["type"] for one in (await alice.get("/v1/events")).json()["items"]] == ["wallet.created"]


async def test_nobody_has_anybody_elses_key(api: Api) -> None:
    alice, bob = await api.person("alice"), await api.person("bob")

    refused = await bob.post(PATH, {"confirm": f"@alice exports the key of {alice.address}"})

    assert code_of(refused) == (400, "invalid_request")
    assert code_of(await api.call("POST", PATH, json={"confirm": "x"})) == (401, "unauthenticated")
