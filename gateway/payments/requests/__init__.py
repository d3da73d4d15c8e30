"""Requests for money: what they are, and their rows. They are created, declined and cancelled in request_money.py, and
paid by payments that pass checks/open_request.py.

    state.py                 the states of a request; API clients use them too
    request.py               a request for money (pure)
    rows.py                  find, list, write, pay
"""
