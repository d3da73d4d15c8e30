"""The map: one line per package, and who may import whom.

    money.py ids.py clock.py   amounts, ids, the time                  errors.py   the tree of errors
    address.py secret.py       Ethereum addresses; secrets that are stored as hashes
    escape.py                  escapes other people's text where it is printed
    config/                    the settings, read once from the environment and a file
    logs.py retry_after_header.py  the log, as text or as JSON; the `Retry-After` header
    metrics/                   counters and histograms, exported to Prometheus
    tracing/                   a trace per payment, exported by OpenTelemetry if configured
    schema/ migrations/        the current schema; migrations of older databases to it

    postgres/      connections, transactions, named statements; the only package with the driver
    idempotency.py group_commit.py   idempotency keys; requests that share a commit
    outbound/      HTTP requests to URLs chosen by others
    keys/          private keys: encrypt, sign, read key files
    ledger/        accounts, transfers, entries, holds. Knows money, nothing of people, HTTP or chains
    chain/         the node, the token, final blocks, relayers. Knows nothing of the ledger
    events/        the event log
    audit/         the audit log, and checkpoints over both logs
    identity/      handles, wallets, API keys; sign_in/: passkeys, sessions, recovery codes
    controls/      wallet freezes
    webhooks/      sends a wallet's events to its owner's servers
    notifications/ notifications of people by e-mail and web push
    operators/     operators, their roles, proposals and approvals
    settlement/    writes final blocks into the ledger. Does not depend on payments, conversions and sweeps
    payments/      payments, conversions and requests for money, on both rails
    custody/       the wallets' private keys: sign, rotate, export; bind addresses of owners
    reconciliation/  compares the ledger with the chain and the bank; recovery after a restore
    bank/          deposits from a bank, and withdrawals to it
    statements/    account statements and receipts, as CSV and PDF
    http/          shared by all routes: strict parsing of requests, problem details, authentication
    api/           the routes: decode, call one function, encode
    client/        the Python client of the API; imports nothing of the server
    web/           the web pages: the wallet and the operators' console
    docs/          the documentation, served at /docs
    embedded/      PostgreSQL and anvil, started when none is configured
    worker/        the loop that runs every job repeatedly; jobs/: one module per job
    assembly.py    builds every service, once, by hand
    cli/           the commands
    __main__.py    the entry point of the command line

Imports go one way, which import-linter enforces (pyproject.toml):

    __main__ > cli > assembly | client > api | web | docs | worker | embedded > http > bank | statements
             > custody | reconciliation > payments > settlement > operators > controls | webhooks | notifications
             > identity > chain > keys | ledger | events | audit > idempotency | group_commit | outbound > postgres
             > config > logs > address | money | ids | clock | secret | escape | metrics | retry_after_header
             > errors
"""

__version__ = "0.1.0"
