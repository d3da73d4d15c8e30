"""Gives the relayers gas money on a development chain, out of nothing: anvil does so for whoever asks.

    GATEWAY_RPC_URL=http://127.0.0.1:8545 GATEWAY_RELAYER_KEY_FILE=relayer.key python fund.py

compose.yaml runs it in the gateway's image. A node that is not anvil refuses, and nothing is changed.
"""

import sys

import httpx

from gateway.config.environment import from_environment
from gateway.keys.key_files import load_relayer_keys
from gateway.keys.signer import RelayerSigner

#: 100 ETH.
WEI = 100 * 10**18


def main() -> None:
    """Fund every relayer of the key file."""
    config = from_environment()
    assert config.rpc_url, "set GATEWAY_RPC_URL"
    assert config.relayer_key_file, "set GATEWAY_RELAYER_KEY_FILE"
    for key in load_relayer_keys(config.relayer_key_file):
        address = RelayerSigner(key).address
        asked = {"jsonrpc": "2.0", "id": 1, "method": "anvil_setBalance", "params": [address, hex(WEI)]}
        answer = httpx.post(config.rpc_url, json=asked, timeout=10, trust_env=False).json()
        if "error" in answer:
            sys.exit(f"fund.py: the node does not give money away: {answer['error'].get('message', '')}")
        print(f"the relayer {address} has 100 ETH")


if __name__ == "__main__":
    main()
