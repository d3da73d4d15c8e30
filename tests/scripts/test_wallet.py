"""scripts/wallet: a key of one's own against the local chain of a running `up`."""

import json
import sys
import time
from collections.abc import Callable
from inspect import cleandoc
from pathlib import Path

import pytest
from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.contract import Contract

from tests.anvils import running_anvil
from tests.processes import HANG_SECONDS
from tests.running import ROOT, Up

sys.path.append(str(ROOT / "scripts"))  # what is there lies beside the product, not in it

import wallet as wallet_script

PASSWORD = "correct horse"


class Purse:
    """A keystore of a fresh key, its password file, and what to type for them. Its scrypt is made fast to open."""

    def __init__(self, folder: Path) -> None:
        account = Account.create()
        self.address = account.address
        self.keystore, self.password_file = folder / "keystore.json", folder / "password"
        self.keystore.write_text(json.dumps(Account.encrypt(account.key, PASSWORD, iterations=2)))
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(PASSWORD + "\n")
        self.found = ["--keystore", str(self.keystore)]
        self.opened = [*self.found, "--password-file", str(self.password_file)]


@pytest.fixture
def purse(tmp_path: Path) -> Purse:
    return Purse(tmp_path)


@pytest.fixture(scope="module")
def full_purse(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Purse:
    """A purse with gas money and 10 USDX, which somebody paid to its address."""
    purse = Purse(tmp_path_factory.mktemp("purse"))
    donor = up.someone("donor", USD="20.00")
    funded = up.wallet("fund", *purse.found)
    assert funded.returncode == 0, funded.stderr
    up.gateway("convert", "20.00", "USD", "USDX", "--from", donor)
    assert up.gateway("pay", purse.address, "10.00", "USDX", "--from", donor).returncode == 0
    return purse


@pytest.fixture(scope="module")
def token(up: Up) -> Contract:
    """The token's contract, seen by web3."""
    (line,) = (line for line in up.said if "USDX is at 0x" in line)
    abi = json.loads((ROOT / "gateway" / "chain" / "token" / "token.json").read_text())["abi"]
    web3 = Web3(HTTPProvider(up.place("rpc_url")))
    return web3.eth.contract(address=Web3.to_checksum_address(line.split()[3]), abi=abi)


def test_a_new_key_lies_in_a_keystore_that_its_owner_alone_can_read_and_the_password_opens(
    up: Up, purse: Purse, tmp_path: Path
) -> None:
    path = tmp_path / "fresh" / "keystore.json"

    made = up.wallet("new", "--keystore", str(path), "--password-file", str(purse.password_file))

    kept = json.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    assert (kept["version"], kept["crypto"]["kdf"]) == (3, "scrypt")
    assert kept["crypto"]["kdfparams"]["n"] >= 2**18
    address = Account.from_key(Account.decrypt(kept, PASSWORD)).address
    assert made.stdout == f"address   {address}\nkeystore  {path}\n"
    assert up.wallet("address", "--keystore", str(path)).stdout == f"{address}\n"


def test_a_keystore_is_never_written_over(up: Up, purse: Purse) -> None:
    before = purse.keystore.read_bytes()

    refused = up.wallet("new", *purse.opened)

    assert refused.returncode == 1
    assert "already exists and is not overwritten" in refused.stderr
    assert purse.keystore.read_bytes() == before


def test_what_is_sent_arrives_is_final_and_shows_in_the_payees_balance(up: Up, full_purse: Purse) -> None:
    payee = up.someone("sent_to")

    sent = up.wallet("send", payee, "2.50", "USDX", *full_purse.opened)

    said = [line.split()[0] for line in sent.stdout.splitlines()]
    assert said == ["sending", "transaction", "receipt", "final"], sent.stderr
    until(lambda: up.available(payee, "USDX") == "2.500000")
    balance = up.wallet("balance", *full_purse.found).stdout.splitlines()
    assert balance[0] == full_purse.address
    assert balance[3].split()[0] == "ETH"
    assert balance[4].split() == ["USDX", "7.500000", "7.500000"]


def test_a_signed_authorization_is_taken_by_the_contract_once(up: Up, full_purse: Purse, token: Contract) -> None:
    payee = up.someone("signed_for")

    signed = up.wallet("sign", payee, "1.25", "USDX", *full_purse.opened)

    message = json.loads(signed.stdout)
    assert list(message) == ["from", "to", "value", "validAfter", "validBefore", "nonce", "signature"]
    assert message["from"] == full_purse.address
    numbers = [int(message[name]) for name in ("value", "validAfter", "validBefore")]
    call = token.functions.transferWithAuthorization(
        message["from"], message["to"], *numbers, message["nonce"], Web3.to_bytes(hexstr=message["signature"])
    )
    anybody = Web3.to_checksum_address(up.rpc("eth_accounts")[5])
    assert token.w3.eth.wait_for_transaction_receipt(call.transact({"from": anybody}))["status"] == 1
    until(lambda: up.available(payee, "USDX") == "1.250000")
    again = up.wallet("sign", payee, "1.25", "USDX", "--nonce", message["nonce"], *full_purse.opened)
    assert again.returncode == 1
    assert "was used before" in again.stderr


def test_a_handle_is_paid_through_the_gateway_state_by_state(up: Up) -> None:
    payer, payee = up.someone("script_payer", EUR="5.00"), up.someone("script_payee")

    paid = up.wallet("pay", payee, "2.00", "EUR", "--from", payer)

    assert paid.stdout.splitlines()[1].split()[0] == "settled", paid.stderr
    assert up.available(payee, "EUR") == "2.00"


def test_a_handle_is_bound_to_a_key_of_ones_own_which_signs_what_it_pays(up: Up, purse: Purse) -> None:
    owner, payee = up.someone("own_key", USD="10.00"), up.someone("own_key_payee")
    up.gateway("convert", "10.00", "USD", "USDX", "--from", owner)

    bound = up.wallet("bind", owner, *purse.opened)
    assert bound.stdout.splitlines()[2:] == [f"address  {purse.address}", "its key  its owner's own"], bound.stderr
    assert "wants you to sign in with your Ethereum account" in bound.stderr
    until(lambda: up.available(owner, "USDX") == "10.000000")

    paid = up.wallet("pay", payee, "2.00", "USDX", "--from", owner, *purse.opened)
    assert [line.split()[0] for line in paid.stdout.splitlines()[1:]][-1] == "settled", paid.stderr

    waits = up.gateway("pay", payee, "1.00", "USDX", "--from", owner)
    assert waits.stdout.splitlines()[1].split()[0] == "requires_confirmation"
    assert waits.returncode == 4
    id = waits.stdout.split(":")[0]
    assert f"scripts/wallet confirm {id} --from {owner}" in waits.stderr
    (up.folder / "own.csv").write_text(f"to,amount,asset\n{payee},0.10,USDX\n")
    many = up.gateway("pay-many", "own.csv", "--from", owner)
    assert (many.returncode, many.stdout.splitlines()[1:4]) == (
        *(4, ["paid     none", "refused  none", "waiting  1: 1 requires_confirmation"]),
    )
    confirmed = up.wallet("confirm", id, "--from", owner, *purse.opened)
    assert confirmed.stdout.splitlines()[-1].split()[0] == "settled", confirmed.stderr

    assert up.wallet("fund", *purse.found).returncode == 0
    redeemed = up.wallet("redeem", "3.00", "USDX", *purse.opened)
    assert redeemed.stdout.splitlines()[-1].split()[0] == "final", redeemed.stderr
    until(lambda: up.available(owner, "USD") == "3.00")
    assert up.available(owner, "USDX") == "3.900000"  # 0.10 are set aside for the row that waits
    assert up.available(payee, "USDX") == "3.000000"


def test_who_has_the_exported_key_leaves_with_their_tokens_and_needs_no_api_key(up: Up, purse: Purse) -> None:
    owner, other = up.someone("leaver", USD="10.00"), up.someone("stays")
    up.gateway("convert", "10.00", "USD", "USDX", "--from", owner)
    kept = purse.keystore.with_name("leaver.json")
    password = ["--password-file", str(purse.password_file)]
    assert up.gateway("handle", "export-key", owner, "--keystore", str(kept), *password).returncode == 0
    (up.folder / ".gateway" / "keys" / owner.removeprefix("@")).rename(up.folder / "kept-key")

    left = up.wallet("leave", purse.address, "6.00", "USDX", "--keystore", str(kept), *password)
    assert left.stdout.splitlines()[-1].split()[0] == "settled", left.stderr
    found = up.wallet("balance", purse.address).stdout.splitlines()[-1].split()
    assert found == ["USDX", "6.000000", "6.000000"]
    too_much = up.wallet("leave", other, "4.01", "USDX", "--keystore", str(kept), *password)
    assert (too_much.returncode, "4.000000 USDX" in too_much.stderr) == (1, True)

    (up.folder / "kept-key").rename(up.folder / ".gateway" / "keys" / owner.removeprefix("@"))
    assert up.available(owner, "USDX") == "4.000000"


def test_gas_money_is_given_on_the_local_chain_alone(up: Up, purse: Purse, tmp_path: Path) -> None:
    with running_anvil(tmp_path / "anvil", "--chain-id", "1") as elsewhere:
        refused = up.wallet("fund", *purse.found, GATEWAY_RPC_URL=elsewhere.url)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "this is chain 1 and not the local one" in refused.stderr


def test_who_has_no_gas_money_is_told_what_it_may_cost(up: Up, purse: Purse, full_purse: Purse) -> None:
    up.gateway("pay", purse.address, "0.50", "USDX", "--from", "donor")

    refused = up.wallet("send", "@alice", "0.50", "USDX", *purse.opened)

    assert refused.returncode == 1
    assert f"{purse.address} has 0.000000000000000000 ETH and the gas may cost 0.0" in refused.stderr
    assert "scripts/wallet fund" in refused.stderr


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            "send @alice 99.00 USDX --keystore {full} --password-file {password}",
            "USDX available, and 99.000000 USDX is needed",
        ),
        ("send @alice 1.00 USDX --keystore {full} --password-file {wrong}", "this password does not open "),
        ("send @alice 1.00 EUR --keystore {full}", "'EUR' is not a token here; there is USDX"),
        ("send @nobody_here 1.00 USDX --keystore {full}", "there is no handle @nobody_here"),
        ("send {token} 1.00 USDX --keystore {full}", "the contract would refuse this: ERC20InvalidReceiver"),
        ("address --keystore {missing}", "there is no keystore at "),
        ("address --keystore {wrong}", "is not a keystore (Web3 Secret Storage, version 3)"),
        ("new --keystore {missing} --password-file {open}", "others can read the password in "),
        ("balance 0x12", "'0x12' is not an address"),
        ("balance {token} --contract {donor}", "there is no token at "),
    ],
)
def test_a_refusal_is_one_sentence_on_stderr_and_the_status_1(
    up: Up,
    full_purse: Purse,
    token: Contract,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    sentence: str,
) -> None:
    files = {"password": full_purse.password_file, "full": full_purse.keystore, "missing": tmp_path / "missing.json"}
    for name, mode in (("wrong", 0o600), ("open", 0o644)):
        files[name] = tmp_path / name
        files[name].write_text("not it\n")
        files[name].chmod(mode)

    monkeypatch.setenv("GATEWAY_HOME", str(up.home))
    words = command.format(**files, token=token.address, donor=full_purse.address).split()
    monkeypatch.setattr("sys.argv", ["scripts/wallet", *words])

    with pytest.raises(SystemExit) as ended:
        wallet_script.main()

    refused = capsys.readouterr()
    assert (ended.value.code, refused.out) == (1, "")
    assert refused.err.startswith("scripts/wallet: ")
    assert sentence in refused.err
    assert refused.err.count("\n") == 1


def test_without_a_node_it_is_said_that_none_answers(up: Up, purse: Purse) -> None:
    refused = up.wallet("balance", *purse.found, GATEWAY_RPC_URL="http://127.0.0.1:1/secret")

    assert refused.stderr == "scripts/wallet: the Ethereum node does not answer: no connection\n"


@pytest.mark.parametrize("name", list(wallet_script.cli.commands))
def test_every_commands_help_has_an_example_of_it(name: str) -> None:
    _, example, lines = cleandoc(wallet_script.cli.commands[name].help).partition("\b\nExample:\n")

    assert example
    assert all(line.strip().startswith(f"scripts/wallet {name}") for line in lines.splitlines())


def until(true: Callable[[], bool]) -> None:
    """Wait for what the worker does by itself."""
    give_up = time.monotonic() + HANG_SECONDS
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.05)  # the worker is another process, which tells nobody
