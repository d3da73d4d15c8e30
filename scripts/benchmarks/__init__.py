"""scripts/bench: both rails, measured against their baselines on the machine it runs on.

    figures.py   what is measured: a function per name that scripts/bench takes
    bench.py     how: sides in turns, books of handles, what a figure gives
    rig.py       with what: PostgreSQL, gateways, wrk with single.lua, bulk.lua, token.lua (they share common.lua)
    served.py    the same server with another application in it: the baselines
    town.py      who pays whom
    books.py     what is checked afterwards
    chain.py     the chain rail: its figure, and the house that it is measured in
    tokens.py    who pays whom with tokens, and what is checked afterwards
    bare.py      the chain without a gateway: the chain rail's baselines (one_at_a_time.py is what web3.py runs)
    auth.py      what knowing the caller costs by itself
    peer.py      the one-call transfer function that bulk payments are held against
    machine.py   processor time, memory, what a sync costs
    compare.py   medians, ratios, the table: pure
    chart.py     the pictures

A machine's speed changes from minute to minute. So nothing is compared with a number from another run: figure and
baseline are measured in turns, three times each, and processor time per payment stands beside every rate.
"""
