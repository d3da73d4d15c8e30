"""A wallet for a person with a key of their own, beside the gateway: it needs a node, and for handles the gateway.

wallet.py          the commands
wallet_key.py      the key, in its keystore
wallet_signing.py  what it signs
wallet_chain.py    the node, the tokens, and sending
"""

import logging
import sys
from pathlib import Path

import requests
import rich_click as click
import wallet_chain
import wallet_key
import wallet_signing
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from wallet_key import Refused
from web3 import Web3
from web3.exceptions import ContractLogicError, Web3Exception, Web3RPCError
from web3.types import TxParams, Wei

from gateway.chain.errors import NodeUnavailable
from gateway.cli import options, output
from gateway.cli.wallet import calls, printout
from gateway.cli.wallet.client import Answer, Client
from gateway.errors import GatewayError
from gateway.escape import LogFormatter
from gateway.ledger.errors import InsufficientFunds
from gateway.money import Money

click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.MAX_WIDTH = 100
click.rich_click.TEXT_MARKUP = "ansi"
click.rich_click.PADDING_HELPTEXT_FIRST_LINE = (0, 0, 1, 0)
click.rich_click.COMMAND_GROUPS |= {
    "scripts/wallet": [
        {"name": "Your key", "commands": ["new", "address"]},
        {"name": "Your money", "commands": ["balance", "fund", "send", "redeem", "sign"]},
        {"name": "Through the gateway", "commands": ["bind", "pay", "confirm", "leave"]},
    ]
}

#: The last of the ten accounts that anvil makes: the relayer has the first, and nobody else may use its nonces.
_LOCAL_FUNDER_KEY = "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"
_LOCAL_CHAIN_ID = 31_337

keystore_option = click.option(
    "--keystore", type=click.Path(path_type=Path), help="The keystore file.  [default: keystore.json in the home]"
)
password_option = click.option(
    "--password-file", type=click.Path(path_type=Path), help="A file with the password, instead of a prompt."
)
contract_option = click.option(
    "--contract", metavar="ADDRESS", help="The token's contract.  [default: that of the gateway in the home]"
)


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
    path = wallet_key.place(keystore)
    calls.say(f"address   {wallet_key.make(path, password_file)}")
    calls.say(f"keystore  {path}")


@cli.command()
@keystore_option
def address(keystore: Path | None) -> None:
    """The address of your key. No password is needed.

    \b
    Example:
      scripts/wallet address
    """
    calls.say(wallet_key.address_of(wallet_key.place(keystore)))


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
    web3 = wallet_chain.node()
    of = wallet_chain.checked(address) if address else wallet_key.address_of(wallet_key.place(keystore))
    latest, final = web3.eth.block_number, wallet_chain.final_block(web3)
    rows = [["ETH", *(Money(web3.eth.get_balance(of, at), wallet_chain.ETH).amount for at in (latest, final))]]
    for token in wallet_chain.tokens(web3, contract):
        asset = wallet_chain.asset_of(token)
        held = [token.functions.balanceOf(of).call(block_identifier=at) for at in (latest, final)]
        rows.append([asset.code, *(Money(units, asset).amount for units in held)])
    calls.say(of, "")
    heads = ["asset", f"latest, block {latest}", f"final, block {final}"]
    calls.say(*output.table(heads, rows, right=(1, 2)))


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
    web3 = wallet_chain.node()
    token = wallet_chain.token_of(web3, asset, contract)
    money = wallet_chain.asset_of(token).parse_positive(amount)
    payee = wallet_chain.payee_of(to, url)
    account = wallet_key.unlocked(wallet_key.place(keystore), password_file)
    signed = wallet_signing.authorization(web3, token, account, payee, money, valid_seconds, nonce)
    calls.show(signed, True, [])


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
    web3 = wallet_chain.node()
    token = wallet_chain.token_of(web3, asset, contract)
    money = wallet_chain.asset_of(token).parse_positive(amount)
    payee = wallet_chain.payee_of(to, url)
    said = f"sending {money} from {{sender}} to {to}{'' if to == payee else f', {payee}'}"
    call = token.functions.transfer(payee, money.units)
    wallet_chain.carry_out(web3, token, call, money, said, wallet_key.place(keystore), password_file)


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
    web3 = wallet_chain.node()
    token = wallet_chain.token_of(web3, asset, contract)
    money = wallet_chain.asset_of(token).parse_positive(amount)
    said = f"redeeming {money} of {{sender}}"
    call = token.functions.redeem(money.units)
    wallet_chain.carry_out(web3, token, call, money, said, wallet_key.place(keystore), password_file)


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
    web3 = wallet_chain.node()
    payee = wallet_chain.checked(to) if to else wallet_key.address_of(wallet_key.place(keystore))
    money = wallet_chain.ETH.parse_positive(amount)
    if web3.eth.chain_id != _LOCAL_CHAIN_ID or not web3.client_version.startswith("anvil/"):
        raise Refused(
            f"this is chain {web3.eth.chain_id} and not the local one of scripts/up: nobody gives gas money away here"
        )
    funder: LocalAccount = Account.from_key(_LOCAL_FUNDER_KEY)
    available = web3.eth.get_balance(funder.address)
    if available <= money.units:
        raise InsufficientFunds(funder.address, money, Money(available, wallet_chain.ETH))
    fields: TxParams = {
        "to": payee,
        "value": Wei(money.units),
        "chainId": _LOCAL_CHAIN_ID,
        "gas": 21_000,
        "maxFeePerGas": Wei(wallet_chain.fee_wei_max(web3)),
        "maxPriorityFeePerGas": web3.eth.max_priority_fee,
        "nonce": web3.eth.get_transaction_count(funder.address, "pending"),
    }
    calls.say(f"giving {money} to {payee}")
    wallet_chain.send(web3, funder, fields)


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
    path = wallet_key.place(keystore)

    async def bound(client: Client) -> Answer:
        asked = await client.challenge(wallet_key.address_of(path))
        calls.say(*asked["message"].split("\n"), "", err=True)
        signed = wallet_key.unlocked(path, password_file).sign_message(encode_defunct(text=asked["message"]))
        return await client.bind(asked["message"], Web3.to_hex(signed.signature))

    calls.say(*printout.handle_lines(calls.ask(handle, url, bound)))


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
        return await wallet_signing.confirmed(client, found, wallet_key.place(keystore), password_file, contract)

    calls.follow(handle, url, False, True, "payments", paid)


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
        found = await client.show("payments", id)
        return await wallet_signing.confirmed(client, found, wallet_key.place(keystore), password_file, contract)

    calls.follow(handle, url, False, True, "payments", confirmed)


@cli.command()
@click.argument("to")
@click.argument("amount")
@click.argument("asset")
@click.option("--url", metavar="URL", help="Another gateway than the one that runs in the home.")
@keystore_option
@password_option
@contract_option
def leave(
    to: str,
    amount: str,
    asset: str,
    url: str | None,
    keystore: Path | None,
    password_file: Path | None,
    contract: str | None,
) -> None:
    """Take tokens of a handle's to an address, with the key that was exported and nothing else: no API key, and no gas
    money, for the gateway pays it.

    \b
    Example:
      scripts/wallet leave 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 2.00 USDX --keystore alice.json
    """
    web3 = wallet_chain.node()
    token = wallet_chain.token_of(web3, asset, contract)
    money = wallet_chain.asset_of(token).parse_positive(amount)
    payee = wallet_chain.payee_of(to, url)
    account = wallet_key.unlocked(wallet_key.place(keystore), password_file)
    signed = wallet_signing.authorization(web3, token, account, payee, money, 3600, None)

    async def presented(client: Client) -> Answer:
        return await client.present(money.asset.code, signed)

    calls.follow(None, url, False, True, "payments", presented, presented)


def main() -> None:
    """Run the command line. A refusal is one sentence on standard error and the status 1."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    try:
        try:
            cli(prog_name="scripts/wallet")
        except requests.RequestException:
            raise NodeUnavailable("no connection") from None  # the cause may show the URL, which may be a secret
        except ContractLogicError as refusal:
            raise Refused(f"the contract would refuse this: {wallet_chain.reason(refusal)}") from None
        except Web3RPCError as refusal:
            raise Refused(f"the node refused: {(refusal.rpc_response or {}).get('error', {}).get('message')}") from None
        except Web3Exception as error:
            raise NodeUnavailable(f"its answer makes no sense ({error})") from None
    except GatewayError as refusal:
        calls.say(f"scripts/wallet: {refusal}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
