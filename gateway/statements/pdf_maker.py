"""Makes PDFs, each in a process of its own, one at a time.

Setting Thai takes about a millisecond of processor time a line, which nobody else's payment waits for: the process is
another, with a low priority, and ends with its PDF. Only it imports the PDF library and the fonts. It is handed what
the PDF says, and neither the environment nor a connection.
"""

import asyncio
import sys
from collections import Counter
from typing import Final

import msgspec

from gateway.statements.errors import TooManyPdfs
from gateway.statements.pdf_document import PdfDocument

#: Entries of a PDF at the most: about a hundred pages, and four seconds of processor time where memos are Thai.
ENTRIES_MAX: Final = 2_000

#: How many are made or wait for their turn at the most, and of these for one wallet, so that nobody takes all places.
_WAITING_MAX: Final = 8
_OF_WALLET_MAX: Final = 2

#: A PDF of `ENTRIES_MAX` entries takes some seconds; on a machine that is busy, several times as many.
_SECONDS_MAX: Final = 60.0


class PdfMaker:
    """The one that makes the PDFs of a gateway's process."""

    def __init__(self) -> None:
        self._turn, self._waiting = asyncio.Semaphore(1), Counter[str]()

    async def make(self, document: PdfDocument) -> bytes:
        """The PDF. Raises TooManyPdfs."""
        of = document.handle
        if self._waiting.total() >= _WAITING_MAX or self._waiting[of] >= _OF_WALLET_MAX:
            raise TooManyPdfs
        self._waiting[of] += 1
        try:
            async with self._turn:
                return await _made(msgspec.json.encode(document))
        finally:
            self._waiting[of] -= 1
            if not self._waiting[of]:
                del self._waiting[of]


async def _made(document: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", f"{__package__}.pdf_process"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={},
    )
    try:
        async with asyncio.timeout(_SECONDS_MAX):
            made, said = await process.communicate(document)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise RuntimeError(f"no PDF was made: {said.decode('utf-8', 'replace')[-2_000:]}")
    return made
