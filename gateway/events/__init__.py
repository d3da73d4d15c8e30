"""The event log: events in order, each written in the PostgreSQL transaction that it reports.

    log.py        append events, and read them without gaps
    event_id.py   how an event's number is shown, and read from text    (pure)
    hub.py        one reader of the log for all streams of this process
    wake.py       wakes readers, here and in other processes

An event has a kind (`payment.settled`), the wallet it concerns, a subject (the payment's id), and the values of its
subject that can change. The API decides how it is shown (api/events/).
"""
