"""Clients that others generate from /openapi.json: they are small, they are typed, and they pay."""

import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.money import Assets
from gateway.postgres.pool import Database
from tests.api.conftest import Api, opened
from tests.clients.tools import CHECKS, HERE, NODE, ran
from tests.web.conftest import served

pytestmark = pytest.mark.anyio


@pytest.fixture
async def paying(database: Database, assets: Assets, tmp_path: Path) -> AsyncIterator[tuple[Api, str, Path]]:
    """A gateway on a port, and a file of its document."""
    async with opened(database, assets) as api, served(api) as url:
        async with httpx.AsyncClient() as client:
            document = tmp_path / "openapi.json"
            document.write_bytes((await client.get(f"{url}/openapi.json")).content)
        yield api, url, document


def holds(said: Any) -> None:
    """What a client answered: a payment, found again, and a refusal."""
    assert (said["paid"]["state"], said["paid"]["to"], said["paid"]["amount"]) == ("settled", "@bob", "12.50")
    assert said["again"] == said["paid"]
    assert said["listed"] == [said["paid"]["id"]]
    assert (said["refused"]["code"], said["refused"]["available"]) == ("insufficient_funds", "87.50")


async def test_a_client_that_openapi_python_client_makes_is_small_and_pays(
    paying: tuple[Api, str, Path], tmp_path: Path
) -> None:
    api, url, document = paying
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    generator = [CHECKS / "openapi-python-client", "generate", "--path", document, "--output-path", tmp_path / "client"]

    made = await ran(*generator)
    files = [one for one in (tmp_path / "client").rglob("*") if one.is_file() and ".ruff_cache" not in one.parts]
    said = json.loads(await ran(CHECKS / "python", HERE / "pay.py", tmp_path / "client", url, alice.api_key, "@bob"))

    assert set(_left_out(made)) <= {"Unsupported content type application/x-ndjson"}
    shown = json.loads(document.read_bytes())
    operations = sum(len(path) for path in shown["paths"].values())
    assert len(files) < operations + len(shown["components"]["schemas"]) + 50  # what has no name would be a file each
    holds(said)
    assert await bob.balance("EUR") == ("12.50", "0.00", "12.50")


def _left_out(said: str) -> list[str]:
    """What the generator says that it cannot make."""
    lines = [line.strip() for line in said.splitlines()]
    return [lines[place + 2] for place, line in enumerate(lines) if line.startswith(("WARNING", "ERROR"))]


#: The compiler as strict as it is, for a script that Node runs.
_COMPILE = (
    *(NODE / ".bin" / "tsc", "--strict", "--module", "es2022", "--moduleResolution", "bundler", "--target", "es2022"),
    *("--types", "node", "--skipLibCheck"),
)


async def with_types(document: Path, folder: Path) -> str:
    """The script, in a folder with the types of the document; its text."""
    (folder / "node_modules").symlink_to(NODE)
    (folder / "package.json").write_text('{"type": "module"}')
    await ran(NODE / ".bin" / "openapi-typescript", document, "--output", folder / "schema.d.ts")
    text = (HERE / "pay.ts").read_text()
    (folder / "pay.ts").write_text(text)
    return text


async def test_types_that_openapi_typescript_makes_are_checked_strictly_and_a_script_with_them_pays(
    paying: tuple[Api, str, Path], tmp_path: Path
) -> None:
    api, url, document = paying
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    await with_types(document, tmp_path)

    await ran(*_COMPILE, "pay.ts", cwd=tmp_path)
    said = json.loads(await ran("node", "pay.js", url, alice.api_key, "@bob", cwd=tmp_path))

    holds(said)
    assert said["settled"] == "settled"
    assert await bob.balance("EUR") == ("12.50", "0.00", "12.50")


async def test_what_the_types_do_not_have_is_not_compiled(paying: tuple[Api, str, Path], tmp_path: Path) -> None:
    """An amount that is a number, an asset left out, a state that is none, no key: each is one error."""
    _, _, document = paying
    text = await with_types(document, tmp_path)
    files = []
    for right, wrong in (
        ("to, amount, asset", "to, amount: 12.5, asset"),
        ('asset: "EUR", ', ""),
        ('state: "settled", limit', 'state: "done", limit'),
        ('header: { "Idempotency-Key": crypto.randomUUID() }', "header: {}"),
    ):
        assert right in text
        files.append(f"wrong{len(files)}.ts")
        (tmp_path / files[-1]).write_text(text.replace(right, wrong))

    with pytest.raises(subprocess.CalledProcessError) as refused:
        await ran(*_COMPILE, "--noEmit", *files, cwd=tmp_path)  # all by one compiler, which takes seconds to start

    said = refused.value.stdout
    assert re.findall(r"^(\w+\.ts)\(.*: error TS2", said, re.MULTILINE) == files, said
    assert said.count("error TS") == len(files), said
