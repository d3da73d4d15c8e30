"""Ethereum: the node, the token, final blocks and relayers. Knows nothing of the ledger, wallets or payments.

    node.py        what an Ethereum node is asked, and what its answers become
    json_rpc.py    JSON-RPC over HTTP, in portions that the node takes; the only file with aiohttp
    block.py       what a node says: blocks, logs, receipts, fees                (pure)
    signature.py   whose a signature is: a key's, or a contract's (ERC-1271)
    token/         the token contract, EIP-3009 messages, authorizations
    watcher/       the chain up to its final block
    relayer/       the accounts that send, their transactions, batches
    deployment/    the tokens' contracts, each deployed once, and the relayers' roles in them

Exactly once: a payment's EIP-3009 nonce is stored with the payment before anything is signed, so the contract itself
refuses a second settlement; raw bytes and their hash are stored before they are sent, and only ever sent again as
stored. What a node answers to a send decides nothing: only receipts and logs of final blocks do.
"""
