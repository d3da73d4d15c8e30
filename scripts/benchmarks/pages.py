"""The wallet's home: how long the server takes for it, and how soon somebody sees that they were paid.

The ledger has 1,000,000 entries. Handle 0 got a quarter of its payments; handle 1 is like all others. Each page is
asked for over one connection, with a session's cookie and nothing else going on. The browsers are Debian's Chromium,
and the time is from the payment's request until the other's page shows it.
"""

import shutil
import time
from statistics import median
from typing import Any
from uuid import UUID

import httpx
from playwright.async_api import BrowserContext, async_playwright

from benchmarks.bench import Bench, Measured, past
from benchmarks.compare import Row, Target
from benchmarks.rig import Ledger, Rig, Served
from gateway import assembly
from gateway.identity.sign_in import session
from gateway.ids import WalletId

_ENTRIES, _CALLS, _PAYMENTS = 1_000_000, 200, 20

_PAY = """async ([key, memo]) => {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
    const body = JSON.stringify({ to: "@h0000002", amount: "0.01", asset: "EUR", memo });
    const answer = await fetch("/v1/payments", { method: "POST", headers, body });
    return answer.ok ? "" : await answer.text();
}"""


async def pages(bench: Bench) -> Measured:
    """Home with 1,000,000 entries in the ledger, and how soon a payee's browser shows a payment."""
    measured = Measured()
    rig = bench.rig
    ledger = await bench.lived(measured, past("pages", _payments(bench)))
    cookies = {handle: await _signed_in(rig, ledger, f"h{handle:07}") for handle in (0, 1, 2)}
    async with rig.serving(ledger) as served:
        for handle, whose in ((0, "with a quarter of all payments"), (1, "of anybody")):
            took = [await _milliseconds(served, cookies[handle]) for _ in range(bench.rounds)]
            measured.rows.append(
                Row("pages", f"home {whose}", "ms", tuple(one for one, _ in took), target=Target(below=50))
            )
            measured.notes[f"bytes of home {whose}"] = took[0][1]
    await _seen(bench, measured, ledger, cookies)
    await bench.checks(measured, ledger)
    return measured


def _payments(bench: Bench) -> int:
    """So many that the ledger has 1,000,000 entries, or as many as the big one has where that is smaller."""
    return min(bench.payments, _ENTRIES * 5 // 12)  # every handle has a deposit, and pays five times


async def _signed_in(rig: Rig, ledger: Ledger, handle: str) -> str:
    async with assembly.services(rig.config(ledger.name), connections=1) as services:
        now = services.clock()
        async with services.database.transaction() as connection:
            wallet: UUID = await connection.fetchval("SELECT id FROM wallet WHERE handle = $1", handle)
            _, token = await session.start(connection, WalletId(wallet), "ethereum", None, "bench", None, now)
    return token


async def _milliseconds(served: Served, token: str) -> tuple[float, int]:
    """The median of many calls, and the bytes of the page."""
    took = []
    async with httpx.AsyncClient(base_url=served.origin, cookies={"session": token}, trust_env=False) as browser:
        for _ in range(_CALLS):
            started = time.perf_counter()
            answer = await browser.get("/", headers={"Accept": "text/html"})
            took.append((time.perf_counter() - started) * 1e3)
            assert answer.status_code == 200, answer.text[:200]
            assert 'id="balances"' in answer.text, answer.text[:200]
    return median(took), len(answer.content)


async def _seen(bench: Bench, measured: Measured, ledger: Ledger, cookies: dict[int, str]) -> None:
    found = shutil.which("chromium")
    if found is None:
        measured.left_out["two browsers"] = "Debian's chromium is not installed"
        return
    async with bench.rig.serving(ledger) as served, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--no-proxy-server"])
        payer, payee = [await _at_home(await browser.new_context(), served, cookies[one]) for one in (1, 2)]
        took = []
        for number in range(_PAYMENTS):
            memo = f"coffee-{number}-at-{time.time()}"
            started = time.perf_counter()
            refused = await payer.evaluate(_PAY, [memo, memo])
            assert refused == "", refused
            await payee.locator("#payments li").first.get_by_text(memo).wait_for(timeout=10_000)
            took.append(time.perf_counter() - started)
        await browser.close()
    measured.rows.append(Row("pages", "a payment in the payee's browser", "s", tuple(took), target=Target(below=1)))
    measured.notes["seconds until a payee's browser shows it, at the most"] = max(took)
    ledger.loaded += _PAYMENTS


async def _at_home(context: BrowserContext, served: Served, token: str) -> Any:
    await context.add_cookies([{"name": "session", "value": token, "url": served.origin}])
    page = await context.new_page()
    async with page.expect_request("**/v1/events/stream*"):
        await page.goto(f"{served.origin}/")
    return page
