"""The tokens' contracts on the chain, and the relayers' roles in them.

deploy.py   deploy each token's contract, once
roles.py    grant relayers the roles to settle and mint
"""
