"""Every command that asks a gateway is answered with hostile words wherever a text may stand, and prints no harm.

The answers are made from the API's own document, and the commands typed are the examples of their help: a new route or
command is walked as soon as it is there.
"""

import json
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from inspect import cleandoc
from pathlib import Path
from typing import Any

import anyio
import pytest
import rich_click as click

from gateway.__main__ import PERSONS, main
from tests.api import contract
from tests.api.conftest import Api, shared
from tests.cli.test_output import commands
from tests.test_escape import HOSTILE, is_harmless

__all__ = ["shared"]

pytestmark = pytest.mark.anyio

WORDS = HOSTILE.rstrip("\ud800")  # JSON in UTF-8 cannot have a lone surrogate


#: What goes on until Ctrl-C, and prints through the same function as all others.
ENDLESS = ("gateway webhooks listen ", "gateway events tail ")


def examples() -> list[str]:
    """What the help of every command of a person's that ends says to type."""
    group = click.Group(commands={str(command.name): command for command in PERSONS})
    found = []
    for typed, command in commands(group, "gateway"):
        if not isinstance(command, click.Group):
            lines = cleandoc(command.help or "").partition("\b\nExample:\n")[2].splitlines()
            found += [line.strip() for line in lines if line.strip().startswith(f"{typed} ")]
    return [line for line in found if not line.startswith(ENDLESS)]


def answer_of(document: Any, schema: Any, word: str, name: str = "") -> Any:
    """A value that a schema allows, with this word wherever a text may stand."""
    if "$ref" in schema:
        return answer_of(document, contract.resolve(document, schema["$ref"]), word, name)
    for choice in ("oneOf", "anyOf"):
        if choice in schema:
            return answer_of(document, next(one for one in schema[choice] if one.get("type") != "null"), word, name)
    if "enum" in schema:
        return "settled" if "settled" in schema["enum"] else schema["enum"][0]  # a state in which no command waits
    kinds = schema.get("type", "object")
    kind = next(one for one in ([kinds] if isinstance(kinds, str) else kinds) if one != "null")
    if kind == "object":
        inner = {key: answer_of(document, value, word, key) for key, value in schema.get("properties", {}).items()}
        more = schema.get("additionalProperties")
        return inner | ({word: answer_of(document, more, word)} if isinstance(more, dict) else {})
    if kind == "array":
        return [answer_of(document, schema["items"], word)]
    plain: dict[str, Any] = {"integer": 7, "number": 1.5, "boolean": True}
    return plain.get(kind, "0x" + "1" * 64 if name == "private_key" else word)


@contextmanager
def answering(document: Any, word: str, refuses: bool) -> Iterator[str]:
    """A gateway that answers every route of the document, or refuses it, with this word."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].split("/")
            operation = min(
                (
                    (route.count("{"), operations[self.command.lower()])
                    for route, operations in document["paths"].items()
                    if self.command.lower() in operations and _fits(route.split("/"), path)
                ),
                key=lambda one: one[0],
            )[1]
            status, answer = min(operation["responses"].items())
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if refuses:
                status, body = "409", {"detail": word, "code": word}
            elif self.path.endswith("/batch"):
                body = {"index": 0, "status": 201, "id": word, "state": word}
            else:
                body = answer_of(document, answer["content"]["application/json"]["schema"], word)
            sent = json.dumps(body).encode()
            self.send_response(int(status))
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _fits(route: list[str], path: list[str]) -> bool:
    return len(route) == len(path) and all(
        one.startswith("{") or one == two for one, two in zip(route, path, strict=True)
    )


def test_there_is_an_example_to_walk_of_every_command_that_shows_something_of_others() -> None:
    walked = {" ".join(line.split()[1:3]) for line in examples()}
    assert {"payments @alice", "show pay_01m81tq52cfv7bnsbsrhbmm7f5", "api-keys list", "mandates list"} <= walked
    assert len(examples()) > 20


@pytest.mark.parametrize("refuses", [False, True], ids=["answered", "refused"])
async def test_no_command_lets_what_others_have_written_do_anything(
    shared: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refuses: bool
) -> None:
    document = (await shared.client.get("/openapi.json")).json()
    (tmp_path / "keys").mkdir()
    for handle in ("alice", "bob", "shop"):
        (tmp_path / "keys" / handle).write_text("gw_key\n")
    (tmp_path / "payroll.csv").write_text("to,amount,asset\n@bob,1.00,EUR\n")
    (password := tmp_path / "password").write_text("correct horse\n")
    password.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path))

    def printed(line: str, url: str, *more: str) -> list[str]:
        for file in ("keys/carol", "alice.json", "payroll.results.csv"):
            (tmp_path / file).unlink(missing_ok=True)
        more = (*more, "--password-file", str(password)) if "export-key" in line else more
        monkeypatch.setattr(sys, "argv", [*shlex.split(line), "--url", url, *more])
        with suppress(SystemExit):
            main()
        out, err = capsys.readouterr()
        return [*out.split("\n"), *err.split("\n")]

    def walk() -> None:
        with answering(document, "word", refuses) as plain, answering(document, WORDS, refuses) as hostile:
            for line in examples():
                for more in ([], ["--json"]):
                    lines = printed(line, hostile, *more)
                    assert [one for one in lines if not is_harmless(one)] == [], line
                    assert len(lines) == len(printed(line, plain, *more)), line

    await anyio.to_thread.run_sync(walk)
