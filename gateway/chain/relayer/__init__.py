"""Relayers: the gateway's own accounts, which send transactions and pay for their gas.

relayers.py         each relayer's ordered nonces; raw transactions, stored before they are sent
fee_ceiling.py      the highest fee that is offered               (pure)
fee_bump.py         replace a transaction that is not mined by one with higher fees
batches.py          put queued authorizations into transactions
outbox.py           send what is stored, and report what a node refuses
nonce_conflicts.py  stop a relayer whose nonce somebody else has used, and resume it
gas_balance.py      how many payments a relayer's gas balance can pay for
"""
