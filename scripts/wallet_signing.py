"""What the key of scripts/wallet signs (EIP-712): token payments (EIP-3009), its own or asked for by the gateway.

The domain is the contract's own (EIP-5267), or is compared with it: no other contract and no other chain takes the
signature.
"""

import asyncio
import secrets
import time
from pathlib import Path
from typing import Any

import wallet_chain
import wallet_key
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from wallet_key import Refused
from web3 import Web3
from web3.contract import Contract

from gateway.cli.wallet.client import Answer, Client
from gateway.money import Asset, Money

#: The message of EIP-3009.
_FIELDS = [
    {"name": "from", "type": "address"},
    {"name": "to", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "validAfter", "type": "uint256"},
    {"name": "validBefore", "type": "uint256"},
    {"name": "nonce", "type": "bytes32"},
]


def authorization(
    web3: Web3,
    token: Contract,
    account: LocalAccount,
    payee: ChecksumAddress,
    money: Money,
    valid_seconds: int,
    nonce: str | None,
) -> dict[str, str]:
    """A signed EIP-3009 payment out of the account, as JSON has it: its numbers as decimal strings."""
    now = int(web3.eth.get_block("latest").get("timestamp", 0))
    unique = _nonce(nonce)
    message = {
        "from": account.address,
        "to": payee,
        "value": money.units,
        "validAfter": 0,
        "validBefore": max(now, int(time.time())) + valid_seconds,
        "nonce": unique,
    }
    if token.functions.authorizationState(account.address, unique).call():
        raise Refused(f"the nonce {nonce} was used before: leave --nonce out for a fresh one")
    signed = account.sign_typed_data(_domain(token), {"TransferWithAuthorization": _FIELDS}, message)
    shown = {name: value if name in ("from", "to") else str(value) for name, value in message.items()}
    return shown | {"nonce": Web3.to_hex(unique), "signature": Web3.to_hex(signed.signature)}


def _nonce(given: str | None) -> bytes:
    if given is None:
        return secrets.token_bytes(32)
    try:
        nonce = bytes.fromhex(given.removeprefix("0x"))
    except ValueError:
        nonce = b""
    if len(nonce) != 32:
        raise Refused("--nonce takes 32 bytes in hex, which are 64 digits")
    return nonce


def _domain(token: Contract) -> dict[str, Any]:
    """What the signature is for, as the contract itself says (EIP-5267)."""
    _, name, version, chain_id, verifying, _, _ = token.functions.eip712Domain().call()
    return {"name": name, "version": version, "chainId": chain_id, "verifyingContract": verifying}


async def confirmed(
    client: Client, payment: Answer, keystore: Path, password_file: Path | None, contract: str | None
) -> Answer:
    """The payment, signed if it waits for that. What is signed is looked at first: it has to be this payment."""
    to_sign = payment.get("to_sign")
    if payment["state"] != "requires_confirmation" or not to_sign:
        return payment
    token = await asyncio.to_thread(lambda: wallet_chain.token_of(wallet_chain.node(), payment["asset"], contract))
    asset = Asset(payment["asset"], "token", wallet_chain.asset_of(token).decimals)
    domain, message = to_sign["domain"], to_sign["message"]
    _, name, version, chain_id, verifying, _, _ = await asyncio.to_thread(token.functions.eip712Domain().call)
    asked = {
        "domain": (domain["name"], domain["version"], int(domain["chainId"]), domain["verifyingContract"]),
        "payer": message["from"],
        "payee": message["to"],
        "amount": int(message["value"]),
    }
    expected = {
        "domain": (name, version, chain_id, verifying),
        "payer": wallet_key.address_of(keystore),
        "payee": await client.address_of(payment["to"]),
        "amount": asset.parse_positive(payment["amount"]).units,
    }
    for what, found in asked.items():
        if found != expected[what]:
            raise Refused(f"the {what} that the gateway asks you to sign is {found}, and should be {expected[what]}")
    signed = wallet_key.unlocked(keystore, password_file).sign_typed_data(full_message=to_sign)
    return await client.sign(payment["id"], Web3.to_hex(signed.signature))
