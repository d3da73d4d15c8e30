"""What happened, in order: facts written in the same PostgreSQL transaction as what they tell of.

    log.py    append, and read on from where one stopped, without gaps

An event has a kind (`payment.settled`), the wallet it concerns, a subject (the payment's id) and a few facts.
"""
