"""Ethereum: the node, the token, final blocks and relayers. Knows nothing of the ledger, wallets or payments.

    node.py        the calls to an Ethereum node, and their results as types
    json_rpc.py    JSON-RPC over HTTP, in portions that the node accepts; the only file that uses aiohttp
    block.py       blocks, logs, receipts, fees                                  (pure)
    signature.py   verify a signature of a key, or of a contract (ERC-1271)
    token/         the token contract, EIP-3009 messages, authorizations
    watcher/       follow the chain up to its final block
    relayer/       the accounts that send, their transactions, batches
    deployment/    the tokens' contracts, each deployed once, and the relayers' roles in them

Exactly once: a payment's EIP-3009 nonce is stored with the payment before anything is signed, so the contract itself
refuses a second settlement. Raw bytes and their hash are stored before they are sent, and only ever sent again as
stored. The node's answer to a send decides nothing: only receipts and logs of final blocks do.
"""
