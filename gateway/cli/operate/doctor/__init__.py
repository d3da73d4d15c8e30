"""doctor: checks an installation, and says what to do about each problem.

`doctor.DIAGNOSTICS` is the list. Each diagnostic is a function of the installation that returns one sentence. It is
skipped if an earlier one did not find what it needs. Nothing is changed: the database gets one empty commit, to find
out whether it accepts writes.

    installation.py  the installation, and what a diagnostic is
    doctor.py        the list, and running it
    doctor.sql       the queries to PostgreSQL
    of_machine.py    the settings, versions, disks and keys
    of_database.py   the server, durability, the clock, the schema
    of_chain.py      the node, time and finality, contracts, relayers
    of_work.py       the worker, e-mail, push messages, recovery, checkpoints
"""
