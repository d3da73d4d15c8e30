"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.api.example_values import ALICE, ALICE_ADDRESS, NOW
from gateway.api.payments.examples import SETTLED
from gateway.api.wallets.shapes import (
    AccountStatementView,
    BalanceView,
    ClosedWalletView,
    CloseRequest,
    EntriesPage,
    EntryView,
    ExportedKeyView,
    KeyExportRequest,
    StatementView,
    WalletView,
)
from gateway.api.wallets.views import KEY_WARNING

#: The request of each call, by its operation id.
REQUESTS: Final[Mapping[str, Struct]] = {
    "close_wallet": CloseRequest("@alice closes this wallet for ever"),
    "export_private_key": KeyExportRequest(f"@alice exports the key of {ALICE_ADDRESS}"),
}

WALLET = WalletView(
    *("alice", ALICE, ALICE_ADDRESS, "gateway", None),
    [
        BalanceView("EUR", "fiat", "482.50", "12.50", "470.00", None),
        BalanceView("USDX", "token", "20.000000", "0.000000", "20.000000", 48_213),
    ],
    None,
    [],
)

#: The answers of each call, by its operation id: that of its first status, and of others where there are any.
ANSWERS: Final[Mapping[str, Struct]] = {
    "get_wallet": WALLET,
    "close_wallet": ClosedWalletView("alice", ALICE, NOW),
    "export_private_key": ExportedKeyView(ALICE_ADDRESS, "0x" + "…", KEY_WARNING),
    "list_entries": EntriesPage(
        [
            EntryView(
                *(2, "EUR", "12.50", "debit", "87.50", SETTLED.id, "payment", SETTLED.id, None, None, NOW),
            ),
            EntryView(
                *(1, "EUR", "100.00", "credit", "100.00", None, "deposit", "dep_01h455vb4pex5vsknk084sn02q"),
                *(None, None, NOW),
            ),
        ],
        None,
    ),
    "get_statement": StatementView(
        *("alice", ALICE, "2026-10-31T17:00:00.000000Z", "2026-11-30T17:00:00.000000Z", "Asia/Bangkok", NOW),
        [AccountStatementView("EUR", "0.00", "100.00", "12.50", "87.50", 2)],
    ),
}

#: The answers that are files, by operation id: media type and text.
FILES: Final[Mapping[str, tuple[str, str]]] = {
    "get_statement_pdf": ("application/pdf", "%PDF-1.7 …"),
    "get_receipt_pdf": ("application/pdf", "%PDF-1.7 …"),
    "get_receipt_as_operator": ("application/pdf", "%PDF-1.7 …"),
    "get_statement_csv": (
        "text/csv",
        "date,time,utc_offset,asset,number,type,person,memo,amount,balance,reference\r\n"
        "2026-11-01,00:00:00,+07:00,EUR,,opening_balance,,,,0.00,\r\n"
        "2026-11-22,21:55:04,+07:00,EUR,1,deposit,,,100.00,100.00,dep_01h455vb4pex5vsknk084sn02q\r\n"
        f"2026-11-22,21:55:06,+07:00,EUR,2,payment,@bob,coffee,-12.50,87.50,{SETTLED.id}\r\n"
        "2026-12-01,00:00:00,+07:00,EUR,,closing_balance,,,,87.50,\r\n",
    ),
}
