"""doctor: checks an installation, and says what to do about each problem.

`doctor.DIAGNOSTICS` is the list. Each diagnostic is a function of the installation that returns one sentence. It is
skipped if an earlier one did not find what it needs. Nothing is changed: the database gets one empty commit, to find
out whether it accepts writes.

    installation.py  the installation, and the type of a diagnostic
    doctor.py        the list, and running it
    doctor.sql       the queries to PostgreSQL
    machine.py       the settings, versions, disks and keys
    database.py      the server, durability, the clock, the schema
    chain.py         the node, time and finality, contracts, relayers
    worker.py        the worker, e-mail, push messages, recovery, checkpoints
"""
