# SPDX-License-Identifier: Apache-2.0
"""gateway/chain/token/token.json is what contracts/ compiles to, to the byte, whichever tool compiles it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import COMPILING_SECONDS, CONTRACTS

pytestmark = pytest.mark.timeout(COMPILING_SECONDS)

ROOT = Path(__file__).resolve().parents[2]
ARTIFACT = ROOT / "gateway" / "chain" / "token" / "token.json"


def test_the_artifact_is_what_the_sources_compile_to() -> None:
    compiled = subprocess.run([ROOT / "scripts" / "compile", "--print"], capture_output=True, check=True).stdout

    assert compiled == ARTIFACT.read_bytes(), "contracts/ has changed: run scripts/compile"


def test_forge_and_plain_solc_agree(built: Callable[..., str]) -> None:
    artifact = json.loads(ARTIFACT.read_text())

    by_forge = json.loads((CONTRACTS / "out" / "Token.sol" / "Token.json").read_text())
    assert by_forge["bytecode"]["object"] == artifact["bytecode"]
    assert by_name(by_forge["abi"]) == by_name(artifact["abi"])


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((CONTRACTS / "package-lock.json").read_text())

    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


def by_name(abi: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(abi, key=lambda member: json.dumps(member, sort_keys=True))
