"""What is read and done of the whole gateway is an operator's alone."""

import pytest

from gateway.api.operators.running.routes import ROUTES
from tests.api.browser import OWN, browsing
from tests.api.conftest import Api, code_of

pytestmark = pytest.mark.anyio

CALLS = [(method, next(iter(route.paths))) for route in ROUTES for method in route.http_methods if method != "HEAD"]
IDS = {"payments": "pay_01h455vb4pex5vsknk084sn02q", "webhooks": "whk_01h455vb4pex5vsknk084sn02q"}


@pytest.mark.parametrize(("method", "route_path"), CALLS)
async def test_a_wallets_key_and_session_and_nobody_are_refused(shared: Api, method: str, route_path: str) -> None:
    subject = route_path.split("/")[3]
    path = route_path.replace("{id:str}", IDS.get(subject, "")).replace("{address:str}", "0x" + "1" * 40)
    handle = f"{method}{CALLS.index((method, route_path))}".lower()
    person, _, browser = await browsing(shared, handle)
    body = {"json": {}} if method == "POST" and subject == "webhooks" else {}

    by_key = await shared.call(method, path, headers=person.bearer, **body)
    by_session = await browser.call(method, path, headers=OWN, **body)
    by_nobody = await shared.call(method, path, **body)

    assert {code_of(one) for one in (by_key, by_session, by_nobody)} == {(401, "unauthenticated")}


def test_there_is_a_call_for_each_route() -> None:
    assert len(CALLS) == len(ROUTES) == 9
