"""The chain as scripts/wallet sees it: the node, the tokens' contracts, and sending.

The hash of what is sent is printed before it is sent. Sent is not final: `send` waits for the receipt, and then for the
block to be final under GATEWAY_FINALITY, and prints both.
"""

import asyncio
import json
import time
from pathlib import Path

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, HexAddress, HexStr
from eth_utils.abi import abi_to_signature
from hexbytes import HexBytes
from wallet_key import Refused, address_of, unlocked
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import BadFunctionCallOutput, ContractLogicError, TransactionNotFound
from web3.types import TxParams, TxReceipt, Wei

from gateway import assembly
from gateway.address import read
from gateway.chain.deployment import deploy
from gateway.chain.token import contract
from gateway.cli.wallet import calls
from gateway.cli.wallet.client import Client, url_of
from gateway.config.config import Config
from gateway.config.environment import from_environment
from gateway.ledger.errors import InsufficientFunds
from gateway.money import Asset, Money
from gateway.postgres import pool

ETH = Asset("ETH", "native", 18)

_ABI = json.loads((Path(contract.__file__).parent / "token.json").read_text())["abi"]

#: Between two looks at the chain.
_LOOK_SECONDS = 0.2


def node() -> Web3:
    """The node of GATEWAY_RPC_URL, or the local chain of a running `up`."""
    url = assembly.places(from_environment()).rpc_url
    return Web3(HTTPProvider(url, request_kwargs={"timeout": 30}, exception_retry_configuration=None))


def token_of(web3: Web3, code: str, given: str | None) -> Contract:
    """The token that is called so, among those that `tokens` finds."""
    there = {asset_of(token).code: token for token in tokens(web3, given)}
    if code not in there:
        raise Refused(f"{code!r} is not a token here; there is {', '.join(there) or 'none'}")
    return there[code]


def tokens(web3: Web3, given: str | None) -> list[Contract]:
    """The contract that was named, or all that the gateway in the home has."""
    addresses = [checked(given)] if given else asyncio.run(_deployed(from_environment()))
    return [web3.eth.contract(address=Web3.to_checksum_address(one), abi=_ABI) for one in addresses]


async def _deployed(config: Config) -> list[str]:
    where = assembly.places(config)
    async with pool.connect(where.database_url, 1, "scripts/wallet") as database, database.reading() as connection:
        return [one.address for one in (await deploy.contracts(connection, config.assets)).values()]


def asset_of(token: Contract) -> Asset:
    """The token as its contract describes it."""
    try:
        return Asset(token.functions.symbol().call(), "token", token.functions.decimals().call())
    except (BadFunctionCallOutput, ContractLogicError):
        raise Refused(f"there is no token at {token.address} on this chain") from None


def checked(text: str) -> ChecksumAddress:
    """The address that somebody typed."""
    address = read(text)
    if address is None:
        raise Refused(f"{text[:60]!r} is not an address: 0x and 40 hex digits, in EIP-55's case or in one case")
    return ChecksumAddress(HexAddress(HexStr(address)))


def payee_of(to: str, url: str | None) -> ChecksumAddress:
    """An address, or the one behind a handle."""
    if to.startswith(("0x", "0X")):
        return checked(to)

    async def asked() -> str:
        client = Client(url_of(from_environment(), url), from_environment().home / "keys", to)
        try:
            return str((await client.public())["address"])
        finally:
            await client.close()

    return checked(asyncio.run(asked()))


def final_block(web3: Web3) -> int:
    """The last block that is final under GATEWAY_FINALITY."""
    blocks = from_environment().finality
    if blocks is None:
        return int(web3.eth.get_block("finalized").get("number", 0))
    return max(web3.eth.block_number - blocks, 0)


def fee_wei_max(web3: Web3) -> int:
    """What to offer for a unit of gas: room for the base fee to double."""
    return 2 * int(web3.eth.get_block("latest").get("baseFeePerGas", 0)) + web3.eth.max_priority_fee


def carry_out(
    web3: Web3,
    token: Contract,
    call: ContractFunction,
    money: Money,
    said: str,
    keystore: Path,
    password_file: Path | None,
) -> None:
    """Have the token do what is called, with your key and your gas, and wait until that is final."""
    sender = address_of(keystore)
    available = Money(token.functions.balanceOf(sender).call(), money.asset)
    if money > available:
        raise InsufficientFunds(sender, money, available)
    balance, price = web3.eth.get_balance(sender), fee_wei_max(web3)
    gas = call.estimate_gas({"from": sender})
    if balance < gas * price:
        raise Refused(
            f"{sender} has {Money(balance, ETH)} and the gas may cost {Money(gas * price, ETH)}: send it some "
            "(on the local chain: scripts/wallet fund)"
        )
    fields = call.build_transaction(
        {
            "from": sender,
            "gas": gas,
            "maxFeePerGas": Wei(price),
            "maxPriorityFeePerGas": web3.eth.max_priority_fee,
            "nonce": web3.eth.get_transaction_count(sender, "pending"),
        }
    )
    account = unlocked(keystore, password_file)
    calls.say(said.format(sender=sender))
    send(web3, account, fields)


def send(web3: Web3, account: LocalAccount, fields: TxParams) -> None:
    """Sign, say the hash, send, and wait: for the receipt, then for its block to be final."""
    signed = account.sign_transaction(fields)  # type: ignore[arg-type] # eth-account has another type for it
    calls.say(f"  transaction  {Web3.to_hex(signed.hash)}")
    web3.eth.send_raw_transaction(signed.raw_transaction)
    mined = 0
    while True:
        receipt, final = _receipt(web3, signed.hash), final_block(web3)
        if receipt is not None and receipt["blockNumber"] != mined:
            mined = receipt["blockNumber"]
            calls.say(
                f"  receipt      block {mined}, {receipt['gasUsed']} gas, "
                + ("done", "reverted")[not receipt["status"]]
            )
        if receipt is not None and mined <= final and web3.eth.get_block(mined).get("hash") == receipt["blockHash"]:
            calls.say(f"  final        at block {final}")
            if not receipt["status"]:
                raise Refused("the contract refused the transfer: no token moved, and the gas is spent")
            return
        time.sleep(_LOOK_SECONDS)


def _receipt(web3: Web3, hash_: HexBytes) -> TxReceipt | None:
    try:
        return web3.eth.get_transaction_receipt(hash_)
    except TransactionNotFound:
        return None


def reason(refusal: ContractLogicError) -> str:
    """The name of the error that the contract answered with."""
    names = {
        Web3.keccak(text=abi_to_signature(part))[:4].hex(): part["name"] for part in _ABI if part["type"] == "error"
    }
    return str(names.get(str(refusal.data)[2:10], refusal.message))
