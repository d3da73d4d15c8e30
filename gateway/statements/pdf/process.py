"""The process that makes one PDF: reads a document (stdin, JSON) and writes the file (stdout)."""

import os
import sys
from contextlib import suppress

import msgspec

from gateway.statements.pdf.document import PdfDocument
from gateway.statements.pdf.receipt import ReceiptSheet
from gateway.statements.pdf.statement import StatementSheet
from gateway.statements.receipt import Receipt


def main() -> None:
    """Read a document and write its PDF."""
    with suppress(PermissionError):  # the systemd unit lets no process change its priority
        os.nice(10)
    document = msgspec.json.decode(sys.stdin.buffer.read(), type=PdfDocument | Receipt)
    sheet = ReceiptSheet(document) if isinstance(document, Receipt) else StatementSheet(document)
    sys.stdout.buffer.write(sheet.make())


if __name__ == "__main__":
    main()
