"""doctor: what an installation lacks, and what to do about it.

`doctor.DIAGNOSTICS` is the list. Each is a function of the installation that answers with one sentence. One that needs
what an earlier one did not find is skipped, and says so. Nothing is changed: the database gets an empty commit, which
is how it is found out whether it takes any.

    installation.py  what is looked at, and what a diagnostic is
    doctor.py        the list, and going through it
    doctor.sql       what PostgreSQL is asked
    of_machine.py    the settings, versions, disks and keys
    of_database.py   the server, durability, the clock, the schema
    of_chain.py      the node, time and finality, contracts, relayers
    of_work.py       the worker, recovery, checkpoints
"""
