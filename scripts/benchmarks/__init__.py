"""scripts/bench: both rails, measured against their baselines on the machine it runs on.

    names.py     what can be measured, and the command line
    figures.py   the figures: a function per name; larger ones have files of their own:
                 by_caller.py, lifecycle.py, in_postgres.py, chain.py, against.py
    bench.py     how figures are measured: sides in turns, ledgers, the result of a figure
    rig.py       what runs: PostgreSQL, gateways, and the load on them
    wrk.py       wrk with single.lua, bulk.lua or token.lua (they share common.lua)
    client.py    a client for requests that wrk cannot make up itself, such as captures
    served.py    the same server with another application in it: the baselines
    town.py      who pays whom
    streams.py   event streams; webhooks.py webhooks, with deliverer.py, which sends, and receiver.py, which is sent to
    callers.py   who calls: plain, scoped and capped keys, wallets with a passkey, sessions
    books.py     checks of the ledger after the load
    direct.py    payments without HTTP: processor time, WAL and disk
    revision.py  another commit to compare with; offer.py is how it is asked to take part
    tokens.py    who pays whom with tokens, and checks after the load
    bare.py      the chain without a gateway: the chain rail's baselines (one_at_a_time.py is what web3.py runs)
    auth.py      the cost of authentication alone
    reads.py     balances, statements and payments, read by the gateway's own statements
    peer.py      a minimal ledger with one transfer function, which bulk payments are compared with
    machine.py   processor time, memory, what a sync costs, where PostgreSQL's programs are
    compare.py   medians, ratios, per payment, the tables: pure
    legs.py      a leg, which is one measurement with wrk, and its rows of the table
    chart.py     the charts

A machine's speed changes from minute to minute, so no result is compared with one of another run. Figure and baseline
are measured in turns, three times each, and processor time per payment is given with every rate.
"""
