"""A wallet for a person with a key of their own, beside the gateway: it needs a node, and for handles the gateway.

The key lies in a keystore (Web3 Secret Storage, version 3: scrypt and AES-128-CTR), a file that only its owner can
read and that a password opens. It is opened for one signature at a time, is never printed, and is sent nowhere.

A transaction's hash is printed before it is sent. Sent is not final: `send` waits for the receipt, and then for the
block to be final under GATEWAY_FINALITY, and prints both.
"""

import asyncio
import json
import logging
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import requests
import rich_click as click
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, HexAddress, HexStr
from eth_utils.abi import abi_to_signature
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import BadFunctionCallOutput, ContractLogicError, TransactionNotFound, Web3Exception, Web3RPCError
from web3.types import TxParams, TxReceipt, Wei

from gateway import postgres
from gateway.chain import deploy
from gateway.chain.address import read
from gateway.commands import asking, building, options, printing
from gateway.commands.client import Answer, Client, url_of
from gateway.config import Config, from_environment
from gateway.errors import GatewayError, InsufficientFunds, NodeUnavailable
from gateway.money import Asset, Money

click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.MAX_WIDTH = 100
click.rich_click.TEXT_MARKUP = "ansi"
click.rich_click.PADDING_HELPTEXT_FIRST_LINE = (0, 0, 1, 0)
click.rich_click.COMMAND_GROUPS = {
    "scripts/wallet": [
        {"name": "Your key", "commands": ["new", "address"]},
        {"name": "Your money", "commands": ["balance", "fund", "send", "redeem", "sign"]},
        {"name": "Through the gateway", "commands": ["bind", "pay", "confirm"]},
    ]
}

_ABI = json.loads((Path(deploy.__file__).parent / "token.json").read_text())["abi"]
_ETH = Asset("ETH", "native", 18)

#: The last of the ten accounts that anvil makes: the relayer has the first, and nobody else may use its nonces.
_LOCAL_PURSE_KEY = "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"
_LOCAL_CHAIN_ID = 31_337

#: Between two looks at the chain.
_LOOK_SECONDS = 0.2

keystore_option = click.option(
    "--keystore", type=click.Path(path_type=Path), help="The keystore file.  [default: keystore.json in the home]"
)
password_option = click.option(
    "--password-file", type=click.Path(path_type=Path), help="A file with the password, instead of a prompt."
)
contract_option = click.option(
    "--contract", metavar="ADDRESS", help="The token's contract.  [default: that of the gateway in the home]"
)


class Refused(GatewayError):
    """Something the wallet will not or cannot do, in one sentence."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()

    says = "{reason}"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """A wallet of your own: your key, in a file that your password opens.

    \b
    Example:
      scripts/wallet new
      scripts/wallet fund
      scripts/wallet balance
    """


# ---- the key --------------------------------------------------------------------------------------------------------


@cli.command()
@keystore_option
@password_option
def new(keystore: Path | None, password_file: Path | None) -> None:
    """Make a key, and keep it in a keystore that your password opens. Lose either, and what it owns is lost.

    \b
    Example:
      scripts/wallet new
    """
    path = _keystore(keystore)
    if path.exists():
        raise Refused(f"there is a keystore at {path} already, and it is left as it is; name another with --keystore")
    password = _password(password_file, confirm=True)
    account: LocalAccount = Account.create(secrets.token_bytes(32))
    _write(path, json.dumps(account.encrypt(password)))
    click.echo(f"address   {account.address}")
    click.echo(f"keystore  {path}")


@cli.command()
@keystore_option
def address(keystore: Path | None) -> None:
    """The address of your key. No password is needed.

    \b
    Example:
      scripts/wallet address
    """
    click.echo(_address(_keystore(keystore)))


def _keystore(given: Path | None) -> Path:
    return given or _config().home / "keystore.json"


def _address(path: Path) -> ChecksumAddress:
    """The address that a keystore says it is of."""
    found = read("0x" + str(_opened(path).get("address", "")).removeprefix("0x"))
    if found is None:
        raise Refused(f"{path} is not a keystore with an address")
    return ChecksumAddress(HexAddress(HexStr(found)))


def _opened(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        raise Refused(f"there is no keystore at {path}: make one with scripts/wallet new") from None
    except OSError as error:
        raise Refused(f"the keystore {path} cannot be read: {error.strerror}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("version") != 3:
        raise Refused(f"{path} is not a keystore (Web3 Secret Storage, version 3)")
    return found


def _unlocked(path: Path, password_file: Path | None) -> LocalAccount:
    """The key, for one signature."""
    kept = _opened(path)
    password = _password(password_file)
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(kept, password))
    except (ValueError, KeyError, TypeError):
        raise Refused(f"this password does not open {path}") from None
    return account


def _password(path: Path | None, confirm: bool = False) -> str:
    if path is None:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True))
    try:
        if path.stat().st_mode & 0o077:
            raise Refused(f"others can read the password in {path}: run chmod 600 on it")
        password = path.read_text().rstrip("\r\n")
    except OSError as error:
        raise Refused(f"the password file {path} cannot be read: {error.strerror}") from None
    if not password:
        raise Refused(f"there is no password in {path}")
    return password


def _write(path: Path, text: str) -> None:
    """A new file, whole, and for its owner alone."""
    try:
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Refused(f"the keystore cannot be written to {path}: {error.strerror}") from None


# ---- what an address has --------------------------------------------------------------------------------------------


@cli.command()
@click.argument("address", required=False)
@keystore_option
@contract_option
def balance(address: str | None, keystore: Path | None, contract: str | None) -> None:
    """What an address has, yours by default: at the latest block, and what of it is final.

    \b
    Example:
      scripts/wallet balance
      scripts/wallet balance 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    web3 = _web3()
    of = _checked(address) if address else _address(_keystore(keystore))
    latest, final = web3.eth.block_number, _final_block(web3)
    rows = [["ETH", *(Money(web3.eth.get_balance(of, at), _ETH).amount for at in (latest, final))]]
    for token in _tokens(web3, contract):
        asset = _asset(token)
        held = [token.functions.balanceOf(of).call(block_identifier=at) for at in (latest, final)]
        rows.append([asset.code, *(Money(units, asset).amount for units in held)])
    click.echo(f"{of}\n")
    heads = ["asset", f"latest, block {latest}", f"final, block {final}"]
    click.echo("\n".join(printing.table(heads, rows, right=(1, 2))))


# ---- signing and sending --------------------------------------------------------------------------------------------


@cli.command()
@click.argument("to")
@click.argument("amount")
@click.argument("asset")
@click.option(
    "--valid-seconds", type=click.IntRange(1), default=3600, show_default=True, help="Until when it may settle."
)
@click.option("--nonce", help="32 bytes in hex that you have not used before.  [default: at random]")
@click.option("--url", metavar="URL", help="The gateway that knows the handle.")
@keystore_option
@password_option
@contract_option
def sign(
    to: str,
    amount: str,
    asset: str,
    valid_seconds: int,
    nonce: str | None,
    url: str | None,
    keystore: Path | None,
    password_file: Path | None,
    contract: str | None,
) -> None:
    """Sign a token payment (EIP-3009) that anybody may then settle: it needs no gas money of yours.

    Whoever has the JSON can have the payment made, once, to this payee and of this amount.

    \b
    Example:
      scripts/wallet sign @bob 2.00 USDX > authorization.json
    """
    web3 = _web3()
    token = _token(web3, asset, contract)
    money = _asset(token).parse_positive(amount)
    payee = _payee(to, url)
    account = _unlocked(_keystore(keystore), password_file)
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
    shown |= {"nonce": Web3.to_hex(unique), "signature": Web3.to_hex(signed.signature)}
    click.echo(json.dumps(shown, indent=2))


#: The message of EIP-3009.
_FIELDS = [
    {"name": "from", "type": "address"},
    {"name": "to", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "validAfter", "type": "uint256"},
    {"name": "validBefore", "type": "uint256"},
    {"name": "nonce", "type": "bytes32"},
]


def _domain(token: Contract) -> dict[str, Any]:
    """What the signature is for, as the contract itself says (EIP-5267): no other contract and chain takes it."""
    _, name, version, chain_id, verifying, _, _ = token.functions.eip712Domain().call()
    return {"name": name, "version": version, "chainId": chain_id, "verifyingContract": verifying}


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


@cli.command()
@click.argument("to")
@click.argument("amount")
@click.argument("asset")
@click.option("--url", metavar="URL", help="The gateway that knows the handle.")
@keystore_option
@password_option
@contract_option
def send(
    to: str,
    amount: str,
    asset: str,
    url: str | None,
    keystore: Path | None,
    password_file: Path | None,
    contract: str | None,
) -> None:
    """Send a token to an address, or to a handle's, and pay the gas yourself.

    \b
    Example:
      scripts/wallet send @bob 2.00 USDX
    """
    web3 = _web3()
    token = _token(web3, asset, contract)
    money = _asset(token).parse_positive(amount)
    payee = _payee(to, url)
    said = f"sending {money} from {{sender}} to {to}{'' if to == payee else f', {payee}'}"
    _move(web3, token, token.functions.transfer(payee, money.units), money, said, keystore, password_file)


@cli.command()
@click.argument("amount")
@click.argument("asset")
@keystore_option
@password_option
@contract_option
def redeem(amount: str, asset: str, keystore: Path | None, password_file: Path | None, contract: str | None) -> None:
    """Redeem a token at its contract, and pay the gas yourself: the handle at your address is credited the currency.

    \b
    Example:
      scripts/wallet redeem 2.00 USDX
    """
    web3 = _web3()
    token = _token(web3, asset, contract)
    money = _asset(token).parse_positive(amount)
    said = f"redeeming {money} of {{sender}}"
    _move(web3, token, token.functions.redeem(money.units), money, said, keystore, password_file)


def _move(
    web3: Web3,
    token: Contract,
    call: ContractFunction,
    money: Money,
    said: str,
    keystore: Path | None,
    password_file: Path | None,
) -> None:
    """Have the token do what is called, with your key and your gas, and wait until that is final."""
    sender = _address(_keystore(keystore))
    available = Money(token.functions.balanceOf(sender).call(), money.asset)
    if money > available:
        raise InsufficientFunds(sender, money, available)
    purse, price = web3.eth.get_balance(sender), _fee_wei_max(web3)
    gas = call.estimate_gas({"from": sender})
    if purse < gas * price:
        raise Refused(
            f"{sender} has {Money(purse, _ETH)} and the gas may cost {Money(gas * price, _ETH)}: send it some "
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
    account = _unlocked(_keystore(keystore), password_file)
    click.echo(said.format(sender=sender))
    _send(web3, account, fields)


@cli.command()
@click.option("--amount", default="1.0", show_default=True, help="How much ETH.")
@click.option("--to", metavar="ADDRESS", help="Whom to give it.  [default: your address]")
@keystore_option
def fund(amount: str, to: str | None, keystore: Path | None) -> None:
    """Gas money out of anvil's test account: on the local chain only, where it is worth nothing.

    \b
    Example:
      scripts/wallet fund
    """
    web3 = _web3()
    payee = _checked(to) if to else _address(_keystore(keystore))
    money = _ETH.parse_positive(amount)
    if web3.eth.chain_id != _LOCAL_CHAIN_ID or not web3.client_version.startswith("anvil/"):
        raise Refused(
            f"this is chain {web3.eth.chain_id} and not the local one of scripts/up: nobody gives gas money away here"
        )
    purse: LocalAccount = Account.from_key(_LOCAL_PURSE_KEY)
    available = web3.eth.get_balance(purse.address)
    if available <= money.units:
        raise InsufficientFunds(purse.address, money, Money(available, _ETH))
    fields: TxParams = {
        "to": payee,
        "value": Wei(money.units),
        "chainId": _LOCAL_CHAIN_ID,
        "gas": 21_000,
        "maxFeePerGas": Wei(_fee_wei_max(web3)),
        "maxPriorityFeePerGas": web3.eth.max_priority_fee,
        "nonce": web3.eth.get_transaction_count(purse.address, "pending"),
    }
    click.echo(f"giving {money} to {payee}")
    _send(web3, purse, fields)


def _send(web3: Web3, account: LocalAccount, fields: TxParams) -> None:
    """Sign, say the hash, send, and wait: for the receipt, then for its block to be final."""
    signed = account.sign_transaction(fields)  # type: ignore[arg-type] # eth-account has another type for it
    click.echo(f"  transaction  {Web3.to_hex(signed.hash)}")
    web3.eth.send_raw_transaction(signed.raw_transaction)
    mined = 0
    while True:
        receipt, final = _receipt(web3, signed.hash), _final_block(web3)
        if receipt is not None and receipt["blockNumber"] != mined:
            mined = receipt["blockNumber"]
            click.echo(
                f"  receipt      block {mined}, {receipt['gasUsed']} gas, "
                + ("done", "reverted")[not receipt["status"]]
            )
        if receipt is not None and mined <= final and web3.eth.get_block(mined).get("hash") == receipt["blockHash"]:
            click.echo(f"  final        at block {final}")
            if not receipt["status"]:
                raise Refused("the contract refused the transfer: no token moved, and the gas is spent")
            return
        time.sleep(_LOOK_SECONDS)


def _receipt(web3: Web3, hash_: HexBytes) -> TxReceipt | None:
    try:
        return web3.eth.get_transaction_receipt(hash_)
    except TransactionNotFound:
        return None


def _fee_wei_max(web3: Web3) -> int:
    """What to offer for a unit of gas: room for the base fee to double."""
    return 2 * int(web3.eth.get_block("latest").get("baseFeePerGas", 0)) + web3.eth.max_priority_fee


# ---- paying through the gateway -------------------------------------------------------------------------------------


from_option = click.option(
    "--from",
    "handle",
    metavar="HANDLE",
    required=True,
    help="Who pays; its API key is in keys/ in the home.",
)


@cli.command()
@click.argument("handle")
@click.option("--url", metavar="URL", help="Another gateway than the one that runs in the home.")
@keystore_option
@password_option
def bind(handle: str, url: str | None, keystore: Path | None, password_file: Path | None) -> None:
    """Make your address that of a handle. What the handle pays in tokens needs your signature from then on, and the
    tokens that it has follow to your address.

    \b
    Example:
      scripts/wallet bind @alice
    """
    path = _keystore(keystore)

    async def bound(client: Client) -> Answer:
        asked = await client.challenge(_address(path))
        click.echo(asked["message"] + "\n", err=True)
        signed = _unlocked(path, password_file).sign_message(encode_defunct(text=asked["message"]))
        return await client.bind(asked["message"], Web3.to_hex(signed.signature))

    click.echo("\n".join(printing.handle_lines(asking.ask(handle, url, bound))))


@cli.command()
@click.argument("to")
@click.argument("amount")
@click.argument("asset")
@from_option
@click.option("--memo", help="A note that both sides see.")
@options.moving
@click.option("--url", metavar="URL", help="Another gateway than the one that runs in the home.")
@keystore_option
@password_option
@contract_option
def pay(
    to: str,
    amount: str,
    asset: str,
    handle: str,
    memo: str | None,
    key: str | None,
    url: str | None,
    keystore: Path | None,
    password_file: Path | None,
    contract: str | None,
) -> None:
    """Pay a handle through the gateway, printing each state that the payment passes through. Where the handle's address
    is yours, it is signed with your key.

    \b
    Example:
      scripts/wallet pay @bob 2.00 USDX --from @alice --memo lunch
    """

    async def paid(client: Client) -> Answer:
        found = await client.pay(to, amount, asset, memo, key=key)
        return await _confirmed(client, found, keystore, password_file, contract)

    asking.follow(handle, url, False, True, "payments", paid)


@cli.command()
@click.argument("id")
@from_option
@click.option("--url", metavar="URL", help="Another gateway than the one that runs in the home.")
@keystore_option
@password_option
@contract_option
def confirm(
    id: str,
    handle: str,
    url: str | None,
    keystore: Path | None,
    password_file: Path | None,
    contract: str | None,
) -> None:
    """Sign a payment, or a refund, that waits for your key, and follow it.

    \b
    Example:
      scripts/wallet confirm pay_01h455vb4pex5vsknk084sn02q --from @alice
    """

    async def confirmed(client: Client) -> Answer:
        return await _confirmed(client, await client.show("payments", id), keystore, password_file, contract)

    asking.follow(handle, url, False, True, "payments", confirmed)


async def _confirmed(
    client: Client, payment: Answer, keystore: Path | None, password_file: Path | None, contract: str | None
) -> Answer:
    """The payment, signed if it waits for that. What is signed is looked at first: it has to be this payment."""
    data = payment.get("to_sign")
    if payment["state"] != "requires_confirmation" or not data:
        return payment
    token = await asyncio.to_thread(lambda: _token(_web3(), payment["asset"], contract))
    path, domain, message = _keystore(keystore), data["domain"], data["message"]
    _, name, version, chain_id, verifying, _, _ = await asyncio.to_thread(token.functions.eip712Domain().call)
    asked = {
        "domain": (domain["name"], domain["version"], int(domain["chainId"]), domain["verifyingContract"]),
        "payer": message["from"],
        "payee": message["to"],
        "amount": int(message["value"]),
    }
    expected = {
        "domain": (name, version, chain_id, verifying),
        "payer": _address(path),
        "payee": await client.address_of(payment["to"]),
        "amount": Asset(payment["asset"], "token", _asset(token).decimals).parse_positive(payment["amount"]).units,
    }
    for what, found in asked.items():
        if found != expected[what]:
            raise Refused(f"the {what} that the gateway asks you to sign is {found}, and should be {expected[what]}")
    signed = _unlocked(path, password_file).sign_typed_data(full_message=data)
    return await client.sign(payment["id"], Web3.to_hex(signed.signature))


# ---- the node, the tokens, the payee --------------------------------------------------------------------------------


def _config() -> Config:
    return from_environment()


def _web3() -> Web3:
    """The node of GATEWAY_RPC_URL, or the local chain of a running `up`."""
    url = building.places(_config()).rpc_url
    return Web3(HTTPProvider(url, request_kwargs={"timeout": 30}, exception_retry_configuration=None))


def _final_block(web3: Web3) -> int:
    """The last block that is final under GATEWAY_FINALITY."""
    blocks = _config().finality
    if blocks is None:
        return int(web3.eth.get_block("finalized").get("number", 0))
    return max(web3.eth.block_number - blocks, 0)


def _tokens(web3: Web3, given: str | None) -> list[Contract]:
    """The contract that was named, or all that the gateway in the home has."""
    addresses = [_checked(given)] if given else asyncio.run(_deployed(_config()))
    return [web3.eth.contract(address=Web3.to_checksum_address(one), abi=_ABI) for one in addresses]


async def _deployed(config: Config) -> list[str]:
    where = building.places(config)
    async with postgres.connect(where.database_url, 1, "scripts/wallet") as database, database.reading() as connection:
        return [one.address for one in (await deploy.contracts(connection, config.assets)).values()]


def _token(web3: Web3, code: str, given: str | None) -> Contract:
    tokens = {_asset(token).code: token for token in _tokens(web3, given)}
    if code not in tokens:
        raise Refused(f"{code!r} is not a token here; there is {', '.join(tokens) or 'none'}")
    return tokens[code]


def _asset(token: Contract) -> Asset:
    """The token as its contract describes it."""
    try:
        return Asset(token.functions.symbol().call(), "token", token.functions.decimals().call())
    except (BadFunctionCallOutput, ContractLogicError):
        raise Refused(f"there is no token at {token.address} on this chain") from None


def _checked(text: str) -> ChecksumAddress:
    address = read(text)
    if address is None:
        raise Refused(f"{text[:60]!r} is not an address: 0x and 40 hex digits, in EIP-55's case or in one case")
    return ChecksumAddress(HexAddress(HexStr(address)))


def _payee(to: str, url: str | None) -> ChecksumAddress:
    """An address, or the one behind a handle."""
    if to.startswith(("0x", "0X")):
        return _checked(to)

    async def asked() -> str:
        client = Client(url_of(_config(), url), _config().home / "keys", to)
        try:
            return str((await client.public())["address"])
        finally:
            await client.close()

    return _checked(asyncio.run(asked()))


def _reason(refusal: ContractLogicError) -> str:
    """The name of the error that the contract answered with."""
    names = {
        Web3.keccak(text=abi_to_signature(part))[:4].hex(): part["name"] for part in _ABI if part["type"] == "error"
    }
    return str(names.get(str(refusal.data)[2:10], refusal.message))


def main() -> None:
    """Run the command line. A refusal is one sentence on standard error and the status 1."""
    logging.basicConfig(level=logging.WARNING)
    try:
        try:
            cli(prog_name="scripts/wallet")
        except requests.RequestException:
            raise NodeUnavailable("no connection") from None  # the cause may show the URL, which may be a secret
        except ContractLogicError as refusal:
            raise Refused(f"the contract would refuse this: {_reason(refusal)}") from None
        except Web3RPCError as refusal:
            raise Refused(f"the node refused: {(refusal.rpc_response or {}).get('error', {}).get('message')}") from None
        except Web3Exception as error:
            raise NodeUnavailable(type(error).__name__) from None
    except GatewayError as refusal:
        click.echo(f"scripts/wallet: {refusal}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
