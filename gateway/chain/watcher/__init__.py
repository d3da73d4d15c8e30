"""The chain, followed up to its final block.

watch.py        final blocks, each once and in order, by parent hash
block_range.py  a range of final blocks and what they say
block_logs.py   the logs and receipts of a block range, none left out
cursors.py      how far each chain was read
same_chain.py   whether the node's chain is the one that the ledger was kept with
final_block.py  which block is final under the configured policy
balances.py     what addresses have by the contract, as of a final block
"""
