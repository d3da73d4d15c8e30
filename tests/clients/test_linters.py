"""The document as linters see it: neither an error nor a warning by Redocly's recommended rules and Spectral's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.clients.tools import HERE, NODE, run

pytestmark = pytest.mark.anyio


@pytest.fixture
async def document(shared: Api) -> Any:
    """As a gateway that people find over https serves it."""
    shown: Any = (await shared.client.get("/openapi.json")).json()
    return {**shown, "servers": [{"url": "https://pay.example"}]}


def redocly(document: Any, folder: Path) -> set[str]:
    """The rules that the document breaks."""
    said = run(
        *(NODE / ".bin" / "redocly", "lint", f"--config={HERE / 'redocly.yaml'}", "--format=json"),
        written(document, folder),
        statuses=(0, 1),
    )
    return {problem["ruleId"] for problem in json.loads(said)["problems"]}


def spectral(document: Any, folder: Path) -> set[str]:
    """The rules that the document breaks."""
    said = run(
        *(NODE / ".bin" / "spectral", "lint", "--ruleset", HERE / "spectral.yaml", "--format=json", "--quiet"),
        written(document, folder),
        statuses=(0, 1),
    )
    return {problem["code"] for problem in json.loads(said)}


def written(document: Any, folder: Path) -> Path:
    file = folder / "openapi.json"
    file.write_text(json.dumps(document))
    return file


async def test_redocly_finds_nothing(document: Any, tmp_path: Path) -> None:
    assert redocly(document, tmp_path) == set()


async def test_spectral_finds_nothing(document: Any, tmp_path: Path) -> None:
    assert spectral(document, tmp_path) == set()


async def test_both_find_what_is_wrong(document: Any, tmp_path: Path) -> None:
    """In a document of two paths, which they read in a third of the time."""
    document["paths"] = {path: document["paths"][path] for path in ("/v1/payments", "/v1/payments/{id}")}
    operation = document["paths"]["/v1/payments"]["post"]
    operation["operationId"] = "get_payment"
    operation["requestBody"]["content"]["application/json"]["example"]["amount"] = 12.5
    del operation["tags"], document["info"]["license"]

    assert {"operation-operationId-unique", "info-license", "no-invalid-media-type-examples"} <= redocly(
        document, tmp_path
    )
    assert {"operation-operationId-unique", "operation-tags", "oas3-valid-media-example"} <= spectral(
        document, tmp_path
    )
