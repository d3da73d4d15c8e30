"""scripts/pre-commit.yaml asks for nothing that scripts/test does not ask for too."""

import re

from tests.running import ROOT


def test_each_hook_is_a_quick_check_of_scripts_test() -> None:
    hooks = (ROOT / "scripts" / "pre-commit.yaml").read_text()
    entries = re.findall(r"entry: \.venv/bin/([^,]+),", hooks)
    checks = re.findall(r'^check "[^"]+" (.+?)(?: \.)?$', (ROOT / "scripts" / "test").read_text(), re.MULTILINE)

    assert re.findall(r"repo: (\S+)", hooks) == ["local"]
    assert entries == checks
    assert all((ROOT / ".venv" / "bin" / entry.split()[0]).is_file() for entry in entries)
