"""The token contract, and the authorizations that move the token.

contract.py        the shipped ABI and bytecode (token.json); encode calls, decode logs   (pure)
balance_list.py    code that lists many balances, run by one call                     (pure)
message.py         EIP-3009 messages: encode, sign and verify
authorization.py   the queue of authorizations, from their order to their end
"""
