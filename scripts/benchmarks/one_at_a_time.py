"""The baseline of the chain rail: web3.py as one writes it first. One transfer, its receipt, the next.

    python -m benchmarks.one_at_a_time URL CONTRACT SECONDS

It prints how many transfers it made and how many seconds that took. The node mines each as it arrives, and the
receipt is polled every 10 ms instead of web3.py's 100, so that web3.py itself does not slow it down.
"""

import sys
import time

from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.middleware import SignAndSendRawMiddlewareBuilder

from gateway.keys.signer import LOCAL_RELAYER_KEYS

#: The sender of the tokens: one of anvil's own accounts, which has ETH for gas.
KEY = LOCAL_RELAYER_KEYS[1]

_ABI = [
    {
        "type": "function",
        "name": "transfer",
        "stateMutability": "nonpayable",
        "inputs": [{"name": "to", "type": "address"}, {"name": "value", "type": "uint256"}],
        "outputs": [{"name": "", "type": "bool"}],
    }
]
_PAYEE = "0x000000000000000000000000000000000000dEaD"


def main(url: str, contract: str, seconds: float) -> None:
    web3 = Web3(HTTPProvider(url))
    sender = Account.from_key(KEY)
    web3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(sender), layer=0)
    web3.eth.default_account = sender.address
    token = web3.eth.contract(address=Web3.to_checksum_address(contract), abi=_ABI)
    sent, started = 0, time.monotonic()
    while time.monotonic() - started < seconds:
        hash_ = token.functions.transfer(Web3.to_checksum_address(_PAYEE), 1).transact()
        assert web3.eth.wait_for_transaction_receipt(hash_, poll_latency=0.01)["status"] == 1
        sent += 1
    print(sent, time.monotonic() - started)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
