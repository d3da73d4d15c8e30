"""The chain, followed up to its final block.

watch.py     final blocks, each once and in order, by parent hash
balances.py  what addresses have by the contract, as of a final block
"""
