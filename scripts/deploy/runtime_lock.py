"""Prints the part of requirements.lock that the gateway needs to run, hashes included: without tests and type checkers.

    python runtime_lock.py pyproject.toml requirements.lock > runtime.lock
    python runtime_lock.py pyproject.toml requirements.lock --client   # without the server: what gateway.client needs
    python runtime_lock.py pyproject.toml requirements.lock --server   # without what sends traces

pip-compile notes below each package what it is there for ("via"). What is kept is what the project's own dependencies
and those of its extras `server` and `traces` need, followed by those notes. So an image has the versions that the tests
run with, and there is no second lock file.
It imports nothing that is not Python's own.
"""

import re
import sys
import tomllib
from pathlib import Path


def name_of(requirement: str) -> str:
    """The package of a requirement, as PEP 503 spells it."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def runtime(pyproject: str, lock: str, *options: str) -> str:
    """The blocks of the lock file that the dependencies of pyproject.toml need, in its order."""
    project = tomllib.loads(pyproject)["project"]
    extras = [] if "--client" in options else ["server"] if "--server" in options else ["server", "traces"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    blocks = {name_of(block): block for block in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]}
    kept, fresh = set[str](), {name_of(one) for one in wanted}
    needed_by = {
        name: {name_of(via) for via in re.findall(r"^ +# +(?:via +)?([A-Za-z0-9][\w.\[\]-]*)", block, re.MULTILINE)}
        for name, block in blocks.items()
    }
    while fresh:
        kept |= fresh
        fresh = {name for name, reasons in needed_by.items() if reasons & fresh} - kept
    return "".join(block for name, block in blocks.items() if name in kept)


if __name__ == "__main__":
    sys.stdout.write(runtime(*(Path(path).read_text(encoding="utf-8") for path in sys.argv[1:3]), *sys.argv[3:]))
