"""The map: one line per package, and who may import whom.

    money.py ids.py clock.py   amounts, ids, the time                  errors.py   everything that can be refused
    address.py secret.py       Ethereum addresses; secrets that are kept by their hashes
    escape.py                  escapes other people's text where it is printed
    config/                    the settings, read once from the environment and a file
    logs.py retry_after.py     the log, as text or as JSON; how long a server asks us to wait
    metrics/                   counters and histograms, exported to Prometheus
    tracing/                   a trace per payment, exported by OpenTelemetry where that is configured
    schema/ migrations/        the current schema; how an older database becomes that

    postgres/      connections, transactions, named statements; the only package with the driver
    idempotency.py group_commit.py   the first answer, again; requests that share a commit
    outbound/      HTTP requests to URLs that others chose
    keys/          private keys: encrypting, signing, the files that they lie in
    ledger/        accounts, transfers, entries, holds. Knows money, nothing of people, HTTP or chains
    chain/         the node, the token, final blocks, relayers. Knows nothing of the ledger
    events/        what happened, in order
    audit/         who did what that matters to security, in order
    identity/      handles, wallets, API keys; sign_in/: passkeys, sessions, recovery codes
    controls/      what may leave a wallet
    webhooks/      sends a wallet's events to its owner's servers
    notifications/ what people are told, and by which channel
    operators/     the people who run the gateway, and what they do to it
    settlement/    what final blocks say, into the ledger. Knows nothing of what settles: payments, conversions, ...
    payments/      what people do with money, on both rails
    custody/       the wallets' private keys: signing, rotation, export, addresses of their owners' own
    reconciliation/  the ledger against the chain and the bank; recovery after a restore
    bank/          money in from a bank and out to it
    statements/    what an account had, each entry of a period, and what it had at the end
    http/          what every route shares: reading requests strictly, answering problems, who calls
    api/           the routes: decode, call one function, encode
    client/        the Python client of the API; imports nothing of the server
    web/           the pages that people see
    docs/          the documentation, served at /docs
    embedded/      PostgreSQL and anvil, started when none is configured
    worker/        the loop that runs every job over and over; jobs/: one module per job
    assembly.py    everything is built here, once, by hand
    cli/           what the command line does
    __main__.py    the command line

Imports go one way, and import-linter keeps it (pyproject.toml):

    __main__ > cli > assembly | client > api | web | docs | worker | embedded > http > bank | statements
             > custody | reconciliation > payments > settlement > operators > controls | webhooks | notifications
             > identity > chain > keys | ledger | events | audit > idempotency | group_commit | outbound > postgres
             > config > logs > address | money | ids | clock | secret | escape | metrics | retry_after > errors
"""

__version__ = "0.1.0"
