"""The rules of scripts/semgrep.yml find what they are there to find: each has a line here that breaks it."""

import json
import os
import subprocess

import pytest

from tests.processes import HANG_SECONDS
from tests.running import ROOT

SEMGREP = ROOT / ".venv" / "checks" / "bin" / "semgrep"

BREAKS = {
    "sql-from-parts": (
        "gateway/ledger/x.py",
        'await connection.fetch(f"SELECT * FROM wallet WHERE handle = {handle}")',
    ),
    "text-that-is-run": ("gateway/x.py", "subprocess.run(line, shell=True)"),
    "secret-compared-with-equals": ("gateway/identity/x.py", "if row.token == token: pass"),
    "secret-in-a-log": ("gateway/x.py", 'log.info("signed in with %s", session_token)'),
    "chance-that-can-be-guessed": ("gateway/x.py", "code = random.choice(letters)"),
    "certificate-not-checked": ("scripts/x.py", "httpx.get(url, verify=False)"),
    "weak-hash": ("gateway/x.py", "hashlib.md5(data)"),
    "environment-read-elsewhere": ("gateway/x.py", 'os.environ["HOME"]'),
    "html-from-text": ("gateway/web/static/x.js", "element.innerHTML = memo;"),
}

#: What looks like it and is none.
HOLDS = {
    "gateway/ledger/y.py": 'await connection.fetch(sql.by_handle, handle)\nlog.info("signed in with %s", session_id)\n',
    "gateway/identity/y.py": "secrets.compare_digest(row.token, token)\nif kind == other: pass\n",
    "gateway/web/static/y.js": "element.textContent = memo;\n",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Rule and file of all that is found in those lines."""
    folder = tmp_path_factory.mktemp("lines")
    lines = {path: "" for path, _ in BREAKS.values()} | HOLDS
    for path, line in BREAKS.values():
        lines[path] += line + "\n"
    for path, text in lines.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    asked = [
        SEMGREP,
        "scan",
        "--json",
        "--quiet",
        "--disable-version-check",
        "--config",
        ROOT / "scripts" / "semgrep.yml",
    ]
    environment = os.environ | {"PATH": f"{SEMGREP.parent}:{os.environ['PATH']}", "SEMGREP_SEND_METRICS": "off"}
    environment |= {"SEMGREP_SETTINGS_FILE": str(folder / "settings"), "SEMGREP_LOG_FILE": str(folder / "log")}
    ran = subprocess.run(
        [*asked, "."], cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert ran.returncode == 0, ran.stderr
    return {(one["check_id"].rpartition(".")[2], one["path"]) for one in json.loads(ran.stdout)["results"]}


def test_there_is_a_line_for_every_rule() -> None:
    rules = (ROOT / "scripts" / "semgrep.yml").read_text(encoding="utf-8")
    assert {line.partition("- id: ")[2] for line in rules.splitlines() if "- id: " in line} == set(BREAKS)


def test_every_rule_finds_its_line_and_nothing_else(found: set[tuple[str, str]]) -> None:
    assert found == {(rule, path) for rule, (path, _) in BREAKS.items()}
