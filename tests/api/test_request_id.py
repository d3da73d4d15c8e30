"""X-Request-Id comes back, or is made; one that could not stand in a log is replaced."""

import pytest

from tests.api.conftest import Api

pytestmark = pytest.mark.anyio

PATHS = ["/health/live", "/nope", "/v1/wallet", "/openapi.json"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("id", ["a", "0193-abc", "x" * 128, "!~"])
async def test_an_id_comes_back_as_it_was_sent(shared: Api, path: str, id: str) -> None:
    answer = await shared.client.get(path, headers={"X-Request-Id": id})
    assert answer.headers.get_list("x-request-id") == [id]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("id", ["", " ", "x" * 129, "a b", "a\tb", "é", "\x1b[31m", "a\x00"])
async def test_a_hostile_id_is_replaced(shared: Api, path: str, id: str) -> None:
    answer = await shared.client.get(path, headers={"X-Request-Id": id.encode("latin-1")})
    (made,) = answer.headers.get_list("x-request-id")
    assert made != id
    assert len(made) == 16


async def test_every_request_without_an_id_gets_one_of_its_own(shared: Api) -> None:
    made = {(await shared.client.get("/health/live")).headers["x-request-id"] for _ in range(20)}
    assert len(made) == 20


async def test_refusals_have_one_too(shared: Api) -> None:
    for answer in (
        await shared.client.post("/v1/handles", content=b"x" * 100_000, headers={"X-Request-Id": "mine"}),
        await shared.client.delete("/v1/wallet", headers={"X-Request-Id": "mine"}),
        await shared.client.post("/v1/payments", content=b"{", headers={"X-Request-Id": "mine"}),
    ):
        assert answer.headers.get_list("x-request-id") == ["mine"]
