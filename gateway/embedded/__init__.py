"""The parts that are started for you when none is configured: PostgreSQL and a local chain.

True whatever is killed, this run itself included:
  - one run per home: a second one is refused while the first, or a child of it that is still starting, is there;
  - a child is on record before its program runs, so the next run finds it and ends it: no part ever runs twice;
  - what PostgreSQL has committed stays: fsync and synchronous_commit are on;
  - a block is on disk before the next one is mined, so a block that is final is never lost;
  - nothing is written outside the home, except a socket folder below /tmp where the home's own path is too long.

    children.py    processes: recorded, recognised, ended by id      (knows no part)
    postgres.py    PostgreSQL, from the wheel's own binaries
    journal.py     the chain on disk: snapshots, and the blocks since
    anvil.py       the chain: mines, journals, and rebuilds itself
    replay.py      a block once more as it was
    rpc.py         JSON-RPC to it
    ports.py       which port is free, and who listens on one
    supervise.py   embedded(): starts the parts, keeps them up, stops them in order

Linux only: it reads /proc. Undecided set GATEWAY_DATABASE_URL and GATEWAY_RPC_URL.
"""
