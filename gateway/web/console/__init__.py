"""The console: pages for operators (gateway/operators).

    page.py         declare and answer a page of the console; access
    words.py        roles and proposals in words
    audit_words.py  names of the kinds of audit events
    sign_in.py      enrol and sign in
    proposals.py    freezes and proposals
    handles.py      search, and a page of each wallet
    withdrawals.py  frozen withdrawals
    operators.py    the list of operators
    audit.py        the audit log
    running/        how the gateway runs: overview, payments, chain and relayers, deliveries, health
    pages.py        all of them

A page reads through the same functions as the API's handlers for operators. Changes are made by small scripts that call
that API with the cookie of the operator's session.
"""
