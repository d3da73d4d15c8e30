"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.api.payments.examples import SETTLED
from gateway.api.story import ALICE, ALICE_ADDRESS, NOW
from gateway.api.wallets.shapes import (
    BalanceView,
    EntriesPage,
    EntryView,
    ExportedKeyView,
    KeyExportRequest,
    WalletView,
)
from gateway.api.wallets.views import KEY_WARNING

#: What each call is sent, by its operation id.
REQUESTS: Final[Mapping[str, Struct]] = {
    "export_private_key": KeyExportRequest(f"@alice exports the key of {ALICE_ADDRESS}"),
}

#: What each call is answered, by its operation id: the first of its statuses, and others where they are.
ANSWERS: Final[Mapping[str, Struct]] = {
    "get_wallet": WalletView(
        *("alice", ALICE, ALICE_ADDRESS, "gateway", None),
        [
            BalanceView("EUR", "fiat", "482.50", "12.50", "470.00", None),
            BalanceView("USDX", "token", "20.000000", "0.000000", "20.000000", 48_213),
        ],
    ),
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
}
