"""Containerfile read and, without a container engine, done: its steps in a folder in the place of an image's root.

What an instruction copies and runs is that of the file, letter by letter, but for where it happens: a path such as
/opt/gateway is one below the folder. All stages have the same folder, so what one copies from another is there.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tests.processes import HANG_SECONDS
from tests.running import ROOT

DEPLOY = ROOT / "scripts" / "deploy"

#: Where an image has what our stages make; the folders of its system stay those of this machine.
_OURS = re.compile(r"(?<![\w.$}])/(opt/gateway|var/lib/gateway|build)\b")


@dataclass(frozen=True)
class Instruction:
    keyword: str
    value: str

    @property
    def words(self) -> list[str]:
        """Of the exec form, which is JSON, or of words between blanks."""
        words: list[str] = json.loads(self.value) if self.value.startswith("[") else self.value.split()
        return words


@dataclass
class Stage:
    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, keyword: str) -> Instruction:
        return [one for one in self.instructions if one.keyword == keyword][-1]


def read(text: str) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage, and the stages."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    arguments, stages = dict[str, str](), list[Stage]()
    for line in filter(None, map(str.strip, lines)):
        keyword, _, value = line.partition(" ")
        if keyword == "FROM":
            base, _, name = value.partition(" AS ")
            stages.append(Stage(base, name))
        elif keyword == "ARG" and not stages:
            name, _, default = value.partition("=")
            arguments[name] = default
        else:
            stages[-1].instructions.append(Instruction(keyword, re.sub(r"\s+", " ", value)))
    return arguments, stages


class Image:
    """A folder in which stages are done."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = dict[str, str]()
        self._folder = root
        tools = root / "tools"
        tools.mkdir()
        (tools / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (tools / "python").chmod(0o755)
        # pip takes the wheels that scripts/test has downloaded, and still holds each to its hash.
        self._pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(ROOT / ".venv" / "wheels")}
        self._path = f"{tools}:{os.environ['PATH']}"

    def moved(self, text: str) -> str:
        """The text with our paths below the folder."""
        return _OURS.sub(lambda found: f"{self.root}/{found[1]}", text)

    def do(self, stage: Stage) -> None:
        for one in stage.instructions:
            match one.keyword:
                case "WORKDIR":
                    self._folder = Path(self.moved(one.value))
                    self._folder.mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(one.words)
                case "RUN":
                    self._run(one.value)
                case "ENV":
                    self.environ |= dict(pair.split("=", 1) for pair in self.moved(one.value).split())
                case _:
                    assert one.keyword in ("USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"), one

    def _copy(self, words: list[str]) -> None:
        if words[0].startswith("--from="):
            _, source, target = words
            assert self.moved(source) == self.moved(target)
            assert Path(self.moved(source)).exists(), source
            return
        *sources, target = words
        there = self._folder if target == "./" else Path(self.moved(target))
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, there, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                there.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, there)

    def _run(self, command: str) -> None:
        if os.getuid() != 0:  # who may give nothing to another user: all is their own
            command = re.sub(r"(?<=\s)-[og] \d+ ", "", command)
        environ = self._pip | {"PATH": self._path, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "HOME": str(self.root)}
        done = subprocess.run(
            ["/bin/sh", "-ec", self.moved(command)],
            cwd=self._folder, env=environ, capture_output=True, text=True, timeout=5 * HANG_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])


def is_ignored(path: str, patterns: list[str]) -> bool:
    """Whether a build is not given a file: the last pattern that fits decides, and `!` takes it back."""
    ignored = False
    for pattern in patterns:
        kept, plain = pattern.startswith("!"), pattern.removeprefix("!")
        parents = [path, *map(str, Path(path).parents)]
        if any(fnmatch(one, plain) or fnmatch(one, plain.removeprefix("**/")) for one in parents) or (
            plain.startswith("**/") and plain.removeprefix("**/") in Path(path).parts
        ):
            ignored = not kept
    return ignored
