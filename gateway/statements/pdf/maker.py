"""Makes PDFs, each in its own process, one at a time.

Typesetting Thai takes about a millisecond of processor time per line, and no payment may wait for it. So it runs in
another process, with a low priority, which ends with its PDF. Only that process imports the PDF library and the fonts.
It gets the content, and neither the environment nor a connection.
"""

import asyncio
import sys
from collections import Counter
from typing import Final

import msgspec

from gateway.statements.errors import TooManyPdfs
from gateway.statements.pdf.document import PdfDocument
from gateway.statements.receipt import Receipt

#: The most entries of a PDF: about a hundred pages, and four seconds of processor time if memos are Thai.
ENTRIES_MAX: Final = 2_000

#: The most PDFs that are being made or waiting, in total and for one reader, so that one reader cannot use all slots.
_WAITING_MAX: Final = 8
_OF_WALLET_MAX: Final = 2

#: A PDF of `ENTRIES_MAX` entries takes some seconds; on a busy machine, several times as many.
_SECONDS_MAX: Final = 60.0


class PdfMaker:
    """Makes the PDFs of a gateway process."""

    def __init__(self) -> None:
        self._turn, self._waiting = asyncio.Semaphore(1), Counter[str]()

    async def make(self, document: PdfDocument | Receipt) -> bytes:
        """Make the PDF. Raises TooManyPdfs."""
        of = document.made_for
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
        *(sys.executable, "-I", "-m", f"{__package__}.process"),
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
