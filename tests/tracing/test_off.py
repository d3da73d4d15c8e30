"""Traces that are off, or cannot be on."""

import subprocess
import sys

import pytest

from gateway import assembly
from gateway.clock import system_clock
from gateway.config.config import read
from gateway.errors import Misconfigured
from tests.running import ROOT

pytestmark = pytest.mark.anyio


async def test_where_the_extra_is_not_installed_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gateway.tracing.exporter", None)  # as where an import of it fails
    config = read({"GATEWAY_TRACES_URL": "http://127.0.0.1:4318/v1/traces"})
    with pytest.raises(Misconfigured, match=r"pip install 'wallet-gateway\[server,traces\]'"):
        async with assembly.traced(config, "serve", system_clock):
            pass


async def test_off_is_no_tracer() -> None:
    async with assembly.traced(read({}), "serve", system_clock) as tracer:
        assert tracer is None


def test_nothing_of_opentelemetry_is_imported_unless_traces_are_on() -> None:
    code = (
        "import asyncio, sys\n"
        "from gateway import assembly, clock\n"
        "from gateway.cli.processes import process\n"
        "from gateway.config import config\n"
        "async def off():\n"
        "    async with assembly.traced(config.read({}), 'serve', clock.system_clock) as tracer:\n"
        "        assert tracer is None\n"
        "asyncio.run(off())\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('opentelemetry', 'google')))\n"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
