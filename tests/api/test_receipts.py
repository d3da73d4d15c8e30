"""Receipts as PDFs: for payer, payee and operators, and nobody else."""

import io

import pytest
from pypdf import PdfReader

from tests.api.conftest import Api, code_of
from tests.api.test_operators import operator

pytestmark = pytest.mark.anyio


def text_of(content: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


async def test_payer_and_payee_get_it_with_their_own_reference_and_nobody_else_does(api: Api) -> None:
    alice, bob, carol = await api.person("alice", "50.00 EUR"), await api.person("bob"), await api.person("carol")
    paid = (await alice.pay("@bob", "12.50 EUR", memo="lunch", reference="order 1042")).json()["id"]
    path = f"/v1/payments/{paid}/receipt.pdf"
    answer = await alice.get(f"{path}?language=th&time_zone=Asia/Bangkok")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"] == f'attachment; filename="receipt-{paid}.pdf"'
    assert answer.headers["cache-control"] == "no-store"
    mine, theirs = text_of(answer.content), text_of((await bob.get(path)).content)
    for said in ("@alice", "@bob", "€12.50", "lunch", paid):
        assert said in mine
        assert said in theirs
    assert ("order 1042" in mine, "order 1042" in theirs) == (True, False)
    assert code_of(await carol.get(path)) == (404, "not_found")
    assert code_of(await alice.get(f"{path}?time_zone=Mars/Olympus")) == (400, "invalid_request")


async def test_every_operator_gets_it_without_the_reference(api: Api) -> None:
    alice = await api.person("alice", "50.00 EUR")
    await api.person("bob")
    paid = (await alice.pay("@bob", "12.50 EUR", reference="order 1042")).json()["id"]
    ann = await operator(api, "ann", "read_only")
    path = f"/payments/{paid}/receipt.pdf"
    text = text_of((await ann.call("GET", path)).content)
    assert ("€12.50" in text, "order 1042" in text) == (True, False)
    missing = await ann.call("GET", "/payments/pay_00000000000000000000000000/receipt.pdf")
    assert code_of(missing) == (404, "not_found")
    assert code_of(await alice.get(f"/v1/operator{path}")) == (401, "unauthenticated")
