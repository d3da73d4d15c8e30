"""What happened, in order: written in the same PostgreSQL transaction as what it tells of.

    log.py    append, and read on from where one stopped, without gaps
    hub.py    one reader for all who wait for events in this process
    wake.py   wakes who waits, here and in other processes

An event has a kind (`payment.settled`), the wallet it concerns, a subject (the payment's id) and what can change of it.
How it is shown is for the API to say (api/events/).
"""
