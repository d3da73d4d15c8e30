"""Follow the chain up to its final block.

watch.py        read final blocks, each once and in order, by parent hash
block_range.py  a range of final blocks, decoded
block_logs.py   read all logs and receipts of a block range
cursors.py      how far each chain was read
same_chain.py   check that the node is on the ledger's chain
final_block.py  which block is final under the configured policy
balances.py     token balances of addresses at a final block
"""
