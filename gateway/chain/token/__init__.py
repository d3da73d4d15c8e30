"""The token contract, and the authorizations that move it.

contract.py        the shipped ABI and bytecode (token.json); calls as bytes, logs as movements and skips   (pure)
message.py         EIP-3009 messages: what is signed, and what the contract takes
authorization.py   the queue of such messages, from their order to their end
"""
