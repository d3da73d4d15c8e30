"""scripts/bench: both rails, measured against their baselines on the machine it runs on.

    names.py     what can be measured, and the command line
    figures.py   the figures: a function per name; those of some size have files of their own:
                 by_caller.py, lifecycle.py, in_postgres.py, chain.py, against.py
    bench.py     how: sides in turns, books of handles, what a figure gives
    rig.py       with what: PostgreSQL, gateways, and the load on them
    wrk.py       wrk with single.lua, bulk.lua or token.lua (they share common.lua)
    client.py    requests that are known beforehand, where wrk cannot say them
    served.py    the same server with another application in it: the baselines
    town.py      who pays whom
    streams.py   event streams; webhooks.py webhooks, with deliverer.py, which sends, and receiver.py, which is sent to
    callers.py   who calls: plain, scoped and capped keys, wallets with a passkey, sessions
    books.py     what is checked afterwards
    direct.py    payments without HTTP: processor time, WAL and disk
    revision.py  another commit to compare with, and offer.py what a commit does for that
    tokens.py    who pays whom with tokens, and what is checked afterwards
    bare.py      the chain without a gateway: the chain rail's baselines (one_at_a_time.py is what web3.py runs)
    auth.py      what knowing the caller costs by itself
    reads.py     what people look at, by the gateway's own statements
    peer.py      the one-call transfer function that bulk payments are held against: a minimal ledger
    machine.py   processor time, memory, what a sync costs, where PostgreSQL's programs are
    compare.py   medians, ratios, per payment, the tables: pure
    legs.py      a leg, which is one measurement with wrk, and its rows of the table
    chart.py     the pictures

A machine's speed changes from minute to minute. So nothing is compared with a number from another run: figure and
baseline are measured in turns, three times each, and processor time per payment stands beside every rate.
"""
