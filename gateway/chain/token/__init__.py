"""The token contract, and the authorizations that move the token.

contract.py        the shipped ABI and bytecode (token.json); encode calls, decode logs   (pure)
balance_list.py    code that lists many balances, run by one call                     (pure)
eip3009.py         EIP-3009 messages (EIP-712 typed data): encode, hash and verify
failure.py         why an authorization ended without its transfer                (pure)
authorization.py   the queue of authorizations, from their order to their end
"""
