"""The console: pages for those who run the gateway, for operators alone (gateway/operators).

    page.py         how a page of the console is declared and answered; who may see it
    words.py        roles and what is proposed, in words
    audit_words.py  what the kinds of the audit log are called
    sign_in.py      enrol and sign in
    proposals.py    freezes and proposals
    handles.py      search, and a page of each wallet
    withdrawals.py  frozen withdrawals
    operators.py    who the operators are
    audit.py        the audit log
    running/        how the gateway runs: overview, payments, chain and relayers, deliveries, health
    pages.py        all of them

A page reads by the functions that the API's handlers of operators are made of. What is done is done by small scripts
that call that API, by the cookie of the operator's session.
"""
