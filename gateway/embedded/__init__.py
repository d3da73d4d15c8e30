"""The parts that are started if none is configured: PostgreSQL and a local chain.

Invariants, whatever is killed, this process included:
  - one run per home: a second one is refused while the first, or a child of it that is still starting, exists;
  - a child is recorded before its program runs, so the next run finds it and ends it: no part ever runs twice;
  - what PostgreSQL has committed stays: fsync and synchronous_commit are on;
  - a block is on disk before the next one is mined, so a final block is never lost;
  - nothing is written outside the home, except a socket folder below /tmp if the home's own path is too long.

    children.py    processes: recorded, identified, ended by id      (knows no part)
    postgres.py    PostgreSQL, from the wheel's own binaries
    journal.py     the chain on disk: snapshots, and the blocks since
    anvil.py       the chain: mine, journal, rebuild
    replay.py      replay a block
    rpc.py         JSON-RPC to it
    ports.py       free ports, and which process listens on one
    supervise.py   embedded(): start the parts, keep them running, stop them in order

Linux only: it reads /proc. On other systems set GATEWAY_DATABASE_URL and GATEWAY_RPC_URL.
"""
