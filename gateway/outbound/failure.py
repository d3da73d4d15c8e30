"""Why there was no answer to a request. Imports nothing, because clients use these names too."""

from typing import Literal

Failure = Literal[
    "timeout",
    "name_not_resolved",
    "address_refused",
    "connection_failed",
    "tls_failed",
    "connection_lost",
    "answer_unreadable",
]
