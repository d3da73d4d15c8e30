"""On each PostgreSQL that this machine has, the schema migrates, payments settle and every statement is understood:
scripts/versions.

Debian keeps each major version below /usr/lib/postgresql; folders of others may be named. Each is started in a
temporary folder, on a socket of its own, and ended. The databases have a locale of each kind there is, Turkish among
them, whose letters fold otherwise.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import uvloop

from tests.conftest import ASSETS
from tests.databases import execute, named
from tests.postgres.test_odd_databases import pays
from tests.running import ROOT

_VERSIONS = Path("/usr/lib/postgresql")

#: Nobody's number: PostgreSQL refuses to run as root.
_NOBODY = 65_534

_LOCALES = {
    "C": "LOCALE 'C'",
    "C.UTF-8": "LOCALE 'C.UTF-8'",
    "Turkish": "LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C.UTF-8'",
}


@contextmanager
def running(binaries: Path) -> Iterator[str]:
    """The URL of a server that these binaries run."""
    root = os.geteuid() == 0
    become = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"] if root else []
    folder = Path(tempfile.mkdtemp(prefix="gateway-version-"))
    if root:
        os.chown(folder, _NOBODY, _NOBODY)
    data, log = str(folder / "data"), str(folder / "log")
    # -c unix_socket_directories: a socket alone, and no port of this machine.
    options = f"-c listen_addresses= -c unix_socket_directories={folder}"

    def run(*words: str) -> None:
        subprocess.run([*become, *words], check=True, stdout=subprocess.DEVNULL, cwd="/")

    try:
        run(str(binaries / "initdb"), "-D", data, "-U", "gateway", "-A", "trust", "-E", "UTF8", "--locale=C")
        run(str(binaries / "pg_ctl"), "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield f"postgresql://gateway@/postgres?host={folder}"
        finally:
            run(str(binaries / "pg_ctl"), "-D", data, "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(folder)


async def understands(url: str) -> None:
    """The server takes every statement there is, also those that no payment in the ledger needs."""
    connection = await asyncpg.connect(url)
    try:
        for file in sorted((ROOT / "gateway").glob("**/*.sql")):
            if file.parent.name in ("schema", "migrations"):
                continue
            for statement in re.split(r"^-- [a-z][a-z0-9_]*$", file.read_text(), flags=re.MULTILINE)[1:]:
                await connection.prepare(statement.strip().rstrip(";"))
    finally:
        await connection.close()


async def try_all(url: str) -> None:
    """Each locale has a database of its own."""
    for number, (name, how) in enumerate(_LOCALES.items()):
        await execute(url, f"CREATE DATABASE locale_{number} ENCODING 'UTF8' {how} TEMPLATE template0")
        await pays(named(url, f"locale_{number}"), ASSETS)
        await understands(named(url, f"locale_{number}"))
        print(f"  {name}: migrated, and payments settle")


def main() -> int:
    folders = [Path(one).absolute() for one in sys.argv[1:]] or sorted(_VERSIONS.glob("*/bin"))
    folders = [one for one in folders if (one / "initdb").exists()]
    if not folders:
        print(
            f"scripts/versions: no PostgreSQL server below {_VERSIONS}: name the folder of its initdb and pg_ctl, or "
            "install one (Debian: apt-get install postgresql)",
            file=sys.stderr,
        )
        return 1
    for folder in folders:
        print(
            subprocess.run(
                [folder / "postgres", "--version"], check=True, capture_output=True, text=True
            ).stdout.strip()
        )
        with running(folder) as url, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(try_all(url))
    return 0


if __name__ == "__main__":
    sys.exit(main())
