"""The map of the house: one line per room, and who may import whom.

    money.py ids.py clock.py   amounts, ids, the time                        errors.py   every refusal, in one tree
    secret.py                  what is shown once and kept by its hash
    config.py                  the settings, read once                       postgres.py the only file with the driver
    schema/                    the current schema           migrations/ how an older one becomes it

    ledger/      the book: accounts, transfers, entries, holds. Knows money, nothing of people, HTTP or chains
    chain/       the token and the node: authorizations, lanes, batches, watch. Knows nothing of the ledger
    events/      what happened, in order
    audit/       who did what that matters to security, in order
    wallets/     who: handles, addresses and their keys, API keys
    access/      who may act, and how they show it: API keys, sessions, passkeys, operators
    settlement/  what final blocks say, into the ledger. Knows nothing of what settles: payments, conversions, …
    payments/    what people do with money, on both rails
    bank/        money in from a bank and out to it
    api/         HTTP and JSON: decode, call one function, encode
    web/         the pages that people see
    embedded/    the parts started for you when none is configured: PostgreSQL, anvil
    worker.py    the loop: claim rows, call the rooms, sleep
    commands/    what the command line does
    __main__.py  the command line

Imports go one way, and import-linter keeps it (pyproject.toml):

    __main__ > commands > api | web | worker | embedded > bank > payments > settlement > access > wallets
             > ledger | chain | events | audit > postgres > config > money | ids | clock | secret > errors
"""
