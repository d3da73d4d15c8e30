"""The token and the node: authorizations, lanes, batches, watch. Knows nothing of the ledger, wallets or payments.

    address.py         20 bytes, and their text                                         (pure)
    block.py           what a node says: blocks, logs, receipts, fees                   (pure)
    contract.py        the shipped ABI and bytecode; calls as bytes, logs as facts      (pure)
    sign_in.py         EIP-4361 messages: their exact text                              (pure)
    signature.py       whose a signature is: a key's, or a contract's (ERC-1271)
    message.py         EIP-3009 messages: what is signed, and what the contract takes
    authorization.py   the queue of such messages, from their order to their end
    signer.py          keys: the vault that seals them, and what may sign with them
    key_files.py       the files that master keys and relayers' keys lie in
    keystore.py        a key in a file that a password opens
    lanes.py           one signer's ordered nonces; raw transactions, stored before they are sent
    outbox.py          what is stored is sent, and what a node does not take is told
    watchdog.py        a nonce that others have used stops its lane, and it goes on again
    fuel.py            what the lanes' gas money still pays for
    roles.py           which lanes may settle and mint, and how they get to
    batches.py         queued authorizations, many to a ChainTransaction
    watch.py           the chain up to its final block, by parent hash
    catch_up.py        what a worker far behind says on the way                         (pure)
    balances.py        what addresses have by the contract, as of a final block
    block_time.py      how often the chain is asked for news, by how long its blocks take
    deploy.py          the tokens' contracts, each once
    node.py            what an Ethereum node is asked, and what its answers become
    json_rpc.py        JSON-RPC over HTTP, in portions that the node takes; the only file with aiohttp

Exactly once: a payment's EIP-3009 nonce is stored with the payment before anything is signed, so the contract itself
refuses a second settlement; raw bytes and their hash are stored before they are sent, and only ever sent again as
stored. What a node answers to a send decides nothing: only receipts and logs of final blocks do.
"""
