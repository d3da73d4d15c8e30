"""The people who run the gateway, and what they do to it, two together.

operators.py         operators: added, given a role, revoked
sign_in.py           how they enrol and sign in
proposals.py         what one proposes
approvals.py         what another approves, and what is done alone at the machine
roles.py             which role may do what
link.py              links that open the console of a sandbox once
errors.py            what is refused to them
wallet_record.py     what they see of a wallet
repairs.py           what they do to the gateway itself: after a restore, or to correct the ledger
repair_proposal.py   how a repair is proposed
"""
