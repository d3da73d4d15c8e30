"""The tokens' contracts on the chain, and what relayers may do with them.

deploy.py   each token's contract, deployed once
roles.py    which relayers may settle and mint, and how they get to
"""
