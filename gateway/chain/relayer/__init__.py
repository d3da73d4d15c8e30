"""Relayers: the gateway's own accounts, which send transactions and pay for their gas.

relayers.py         each relayer's ordered nonces; raw transactions, stored before they are sent
fee_ceiling.py      the most that is offered for gas                  (pure)
fee_bump.py         a further attempt at what is in no block, with higher fees
batches.py          queued authorizations, many to a transaction
outbox.py           what is stored is sent, and what a node does not take is told
nonce_conflicts.py  a nonce that somebody else has used stops its relayer, and it goes on again
gas_balance.py      what a relayer's gas balance still pays for
"""
