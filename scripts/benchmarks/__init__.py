"""scripts/bench: the ledger rail, measured against its baselines on the machine it runs on.

    figures.py   what is measured: a function per name that scripts/bench takes
    rig.py       with what: PostgreSQL, gateways, wrk with single.lua and bulk.lua (common.lua is what both share)
    served.py    the same server with another application in it: the baselines
    town.py      who pays whom
    books.py     what is checked afterwards
    peer.py      the one-call transfer function that bulk payments are held against
    machine.py   processor time, memory, what a sync costs
    compare.py   medians, ratios, the table: pure
    chart.py     the pictures

A machine's speed changes from minute to minute. So nothing is compared with a number from another run: figure and
baseline are measured in turns, three times each, and processor time per payment stands beside every rate.
"""
