"""The settings: every one has a default, and every wrong one is named."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.config import read
from gateway.config.environment import from_environment
from gateway.config.settings import SETTINGS
from gateway.errors import Misconfigured


def test_nothing_has_to_be_set() -> None:
    config = from_environment({})
    assert (config.host, config.port, config.database_url, config.rpc_url) == ("127.0.0.1", 8000, None, None)
    assert config.home.is_absolute()
    assert config.master_key_file == config.home / "master.key"
    assert config.root_key_file == config.home / "root.key"
    assert [asset.code for asset in config.assets] == ["EUR", "USD", "THB", "JPY", "USDX", "ETH"]
    assert (config.finality, config.ledger_fee_basis_points) == (None, 0)


def test_an_empty_setting_is_one_that_is_not_set() -> None:
    blank, none = from_environment({name: " " for name, _, _ in SETTINGS}), from_environment({})
    assert list(blank.assets) == list(none.assets)
    assert replace(blank, assets=none.assets) == none


def test_every_setting_is_read() -> None:
    config = from_environment(
        {
            "GATEWAY_HOME": "/srv/g", "GATEWAY_HOST": "::1", "GATEWAY_PORT": "0",
            "GATEWAY_PUBLIC_URL": "https://pay.example/", "GATEWAY_DATABASE_URL": "postgresql://x",
            "GATEWAY_DATABASE_CONNECT_SECONDS": "2", "GATEWAY_DATABASE_STATEMENT_SECONDS": "2.5",
            "GATEWAY_RPC_URL": "http://x", "GATEWAY_RELAYER_KEY_FILE": "/r", "GATEWAY_MASTER_KEY_FILE": "/m",
            "GATEWAY_ROOT_KEY_FILE": "/t", "GATEWAY_DRAIN_SECONDS": "1.5", "GATEWAY_STOP_SECONDS": "0",
            "GATEWAY_CURRENCIES": "GBP, KWD", "GATEWAY_TOKENS": "GBPX:GBP:18, KWDX:KWD:3", "GATEWAY_FINALITY": "0",
            "GATEWAY_BLOCK_SECONDS": "2", "GATEWAY_AUTHORIZATION_SECONDS": "60", "GATEWAY_HOLD_SECONDS": "1",
            "GATEWAY_SIGNATURE_SECONDS": "20",
            "GATEWAY_GAS_BATCHES_MIN": "3", "GATEWAY_LEDGER_FEE_BASIS_POINTS": "25",
            "GATEWAY_BATCH_WAIT_SECONDS": "0", "GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "GATEWAY_SIGN_UPS_PER_HOUR": "1", "GATEWAY_TRIES_PER_MINUTE": "2", "GATEWAY_REQUESTS_PER_MINUTE": "3",
            "GATEWAY_METRICS_PORT": "9464", "GATEWAY_METRICS_HOST": "::", "GATEWAY_LOG_FORMAT": "json",
            "GATEWAY_ACCESS_LOG": "on", "GATEWAY_TRACES_URL": "http://x:4318/v1/traces", "GATEWAY_TRACES_RATIO": "0.25",
        }
    )  # fmt: skip
    assert (config.home, config.host, config.port) == (Path("/srv/g"), "::1", 0)
    assert (config.database_url, config.rpc_url) == ("postgresql://x", "http://x")
    assert (config.database_connect_seconds, config.database_statement_seconds) == (2.0, 2.5)
    assert (config.drain_seconds, config.stop_seconds) == (1.5, 0.0)
    assert config.public_url == "https://pay.example"
    assert (config.relayer_key_file, config.master_key_file) == (Path("/r"), Path("/m"))
    assert config.root_key_file == Path("/t")
    assert [(asset.code, asset.decimals, asset.backing) for asset in config.assets] == [
        ("GBP", 2, None), ("KWD", 3, None), ("GBPX", 18, "GBP"), ("KWDX", 3, "KWD"), ("ETH", 18, None),
    ]  # fmt: skip
    assert (config.finality, config.block_seconds, config.batch_wait_seconds) == (0, 2.0, 0.0)
    assert config.authorization_seconds == 60
    assert [str(network) for network in config.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert (config.sign_ups_per_hour, config.tries_per_minute, config.requests_per_minute) == (1, 2, 3)
    assert config.signature_seconds == 20
    assert (config.metrics_port, config.metrics_host) == (9464, "::")
    assert (config.log_format, config.access_log) == ("json", True)
    assert (config.traces_url, config.traces_ratio) == ("http://x:4318/v1/traces", 0.25)
    assert (config.hold_seconds, config.gas_batches_min, config.ledger_fee_basis_points) == (1, 3, 25)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("fd00::1", "http://[fd00::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_the_servers_url_is_one_that_can_be_asked(host: str, url: str) -> None:
    assert from_environment({"GATEWAY_HOST": host}).url(80) == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("GATEWAY_PORT", value) for value in ("x", "-1", "65536", "1.5", "٨٠", "9" * 5000, "0x1F")),
        *(
            ("GATEWAY_PUBLIC_URL", value)
            for value in ("pay.example", "ftp://x", "https://", "https://a@b", "https://x?y")
        ),
        *(("GATEWAY_WEBHOOK_SCHEMES", value) for value in ("http:", "ftp", "https,", "https;http")),
        *(("GATEWAY_WEBHOOK_NETWORKS", value) for value in ("10.0.0.1/8", "localhost", "any")),
        *(
            ("GATEWAY_VAPID_SUBJECT", value)
            for value in ("ops@pay.example", "mailto:", "http://pay.example", "mailto:é@x", "https://a b")
        ),
        *(("GATEWAY_METRICS_PORT", value) for value in ("x", "-1", "65535")),
        *(("GATEWAY_LOG_FORMAT", value) for value in ("JSON", "xml")),
        *(("GATEWAY_ACCESS_LOG", value) for value in ("yes", "1")),
        *(("GATEWAY_TRACES_URL", value) for value in ("127.0.0.1:4318", "grpc://x:4317", "http://a@b")),
        *(("GATEWAY_TRACES_RATIO", value) for value in ("1.1", "-0.1", "nan", "x", "1%", "1e-3", ".")),
        *(("GATEWAY_FINALITY", value) for value in ("latest", "-1", "10001", "Finalized")),
        *(("GATEWAY_DATABASE_CONNECT_SECONDS", value) for value in ("0", "0.4", "61", "x")),
        *(("GATEWAY_DATABASE_STATEMENT_SECONDS", value) for value in ("0", "inf", "61")),
        *(("GATEWAY_DRAIN_SECONDS", value) for value in ("-1", "nan", "61")),
        *(("GATEWAY_STOP_SECONDS", value) for value in ("-1", "x", "61")),
        *(("GATEWAY_BLOCK_SECONDS", value) for value in ("0", "nan", "inf", "-1", "x", "61")),
        *(("GATEWAY_BATCH_WAIT_SECONDS", value) for value in ("-0.1", "nan", "x", "60.1")),
        *(("GATEWAY_AUTHORIZATION_SECONDS", value) for value in ("29", "2592001")),
        *(("GATEWAY_SIGNATURE_SECONDS", value) for value in ("9", "604801")),
        *(("GATEWAY_HOLD_SECONDS", value) for value in ("0", "31536001")),
        *(("GATEWAY_GAS_BATCHES_MIN", value) for value in ("0", "-1", "1000001", "1.5")),
        *(("GATEWAY_TRUSTED_PROXIES", value) for value in ("proxy.example", "10.0.0.1/8", "10.0.0.0/33", "*")),
        *(("GATEWAY_SIGN_UPS_PER_HOUR", value) for value in ("0", "-1", "many")),
        *(("GATEWAY_TRIES_PER_MINUTE", value) for value in ("0", "1.5")),
        *(("GATEWAY_REQUESTS_PER_MINUTE", value) for value in ("0", "1e3")),
        *(("GATEWAY_LEDGER_FEE_BASIS_POINTS", value) for value in ("5001", "-1", "0.5", "1%")),
        *(
            ("GATEWAY_TOKENS", value)
            for value in ("USDX", "USDX:USD", "USDX:USD:x", "USDX:GBP:6", "usdx:USD:6", "EUR:EUR:2")
        ),
        *(
            ("GATEWAY_TOKENS", value)
            for value in ("USDX:USD:37", "UX:USD:6", "USDX:USD:-1", "USDX:USD:6:7", "USDX:USD:٦")
        ),
        *(("GATEWAY_TOKENS", value) for value in ("USDX:USD:6,USDX:EUR:6", "ETH:USD:18", "USDX:USD:6,")),
        *(("GATEWAY_TOKENS", value) for value in ("123:USD:6", "EUR:EUR:2", "USDX:USD:٦")),
    ],
)
def test_a_setting_that_cannot_be_is_named(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        from_environment({name: value})


def test_push_services_reach_the_operator_at_the_public_url_unless_another_is_given() -> None:
    of = {
        "https://pay.example": {"GATEWAY_PUBLIC_URL": "https://pay.example"},
        "mailto:ops@pay.example": {
            "GATEWAY_PUBLIC_URL": "https://pay.example",
            "GATEWAY_VAPID_SUBJECT": "mailto:ops@pay.example",
        },
        None: {"GATEWAY_PUBLIC_URL": "http://localhost:8000"},
    }
    assert [from_environment(given).vapid_subject for given in of.values()] == list(of)


@pytest.mark.parametrize("value", ["EURO", "XAU", "eur", "EUR,", "EUR,EUR", "ETH"])
def test_a_currency_that_cannot_be_is_refused(value: str) -> None:
    with pytest.raises(Misconfigured):
        from_environment({"GATEWAY_CURRENCIES": value, "GATEWAY_TOKENS": "EURX:EUR:6"})


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("wss://node.example/v3/secret", "is a WebSocket URL.*set it to the node's https:// URL"),
        ("WS://node.example/secret", "is a WebSocket URL.*set it to the node's http:// URL"),
        *((url, "is not a URL that a node can be asked at") for url in (
            "node.example/secret", "127.0.0.1:8545/secret", "ftp://node.example/secret", "http:///secret",
            "http://node.example:70000/secret", "http://node.example:port/secret", "http://[::1/secret",
            "https:// node.example/secret", "https:\\\\node.example\\secret", "https://nöde.example/secret", "secret",
        )),
    ],
)  # fmt: skip
def test_a_nodes_url_that_cannot_be_is_refused_in_a_sentence_that_does_not_show_it(url: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as refused:
        from_environment({"GATEWAY_RPC_URL": url})
    assert "secret" not in str(refused.value)


def test_a_nodes_url_is_left_as_it_is() -> None:
    for url in ("http://127.0.0.1:8545", "https://user:pass@node.example/v2/key?x=1", "http://[::1]:8545/"):
        assert from_environment({"GATEWAY_RPC_URL": url}).rpc_url == url


# ---- files ----------------------------------------------------------------------------------------------------------


def toml(folder: Path, text: str, **variables: str) -> dict[str, str]:
    """The variables, and a configuration file with this text."""
    file = folder / "gateway.toml"
    file.write_text(text)
    return {"GATEWAY_CONFIG_FILE": str(file), **variables}


def test_settings_come_from_a_file_and_the_environment_takes_precedence(tmp_path: Path) -> None:
    text = 'port = 81\nhost = "::1"\nblock_seconds = 0.25\ncurrencies = ["GBP", "KWD"]\ntokens = ["GBPX:GBP:6"]\n'

    config = from_environment(toml(tmp_path, text, GATEWAY_HOST="10.0.0.1"))

    assert (config.host, config.port, config.block_seconds) == ("10.0.0.1", 81, 0.25)
    assert [asset.code for asset in config.assets] == ["GBP", "KWD", "GBPX", "ETH"]


def test_a_secret_comes_from_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "database-url"
    secret.write_text("postgresql://gateway:secret@db.example/gateway\n")

    by_variable = from_environment({"GATEWAY_DATABASE_URL_FILE": str(secret)})
    by_file = from_environment(toml(tmp_path, f'database_url_file = "{secret}"\n'))
    over = from_environment(
        toml(tmp_path, f'database_url_file = "{secret}"', GATEWAY_DATABASE_URL="postgresql://other")
    )

    assert by_variable.database_url == by_file.database_url == "postgresql://gateway:secret@db.example/gateway"
    assert over.database_url == "postgresql://other", "the environment takes precedence"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port = 81 82", "it is not TOML"),
        ("prot = 81", "prot is not a setting"),
        ("config_file = 'other.toml'", "config_file is not a setting there"),
        ("port = true", "port is not a text, a number or a list of texts"),
        ("[database]\nurl = 'x'", "database is not a setting"),
        ("currencies = [1, 2]", "currencies is not a text, a number or a list of texts"),
        ("port = 99999", "GATEWAY_PORT='99999'"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        from_environment(toml(tmp_path, text))
    assert says in str(wrong.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for name in ("GATEWAY_CONFIG_FILE", "GATEWAY_DATABASE_URL_FILE", "GATEWAY_RPC_URL_FILE"):
        with pytest.raises(Misconfigured, match=f"{name}='{tmp_path}/missing': it cannot be read"):
            from_environment({name: f"{tmp_path}/missing"})


def test_a_secret_and_its_file_are_not_both_set(tmp_path: Path) -> None:
    (tmp_path / "rpc").write_text("http://x")
    with pytest.raises(Misconfigured, match="GATEWAY_RPC_URL and GATEWAY_RPC_URL_FILE are both set: remove one"):
        from_environment({"GATEWAY_RPC_URL": "http://y", "GATEWAY_RPC_URL_FILE": str(tmp_path / "rpc")})


def test_a_mail_server_is_read_from_its_url() -> None:
    sender = {"GATEWAY_EMAIL_FROM": "Example Pay <no-reply@pay.example>"}
    found = read({"GATEWAY_SMTP_URL": "smtp://gateway:p%40ss%3Aword@mail.example", **sender}).smtp
    assert found is not None
    assert (found.host, found.port, found.encryption) == ("mail.example", 587, "starttls")
    assert (found.user, found.password, str(found.sender)) == ("gateway", "p@ss:word", sender["GATEWAY_EMAIL_FROM"])
    assert "p@ss:word" not in repr(found)
    tls = read({"GATEWAY_SMTP_URL": "smtps://mail.example:2465", **sender}).smtp
    assert tls is not None
    assert (tls.port, tls.encryption, tls.user) == (2465, "tls", None)
    assert read({}).smtp is None


@pytest.mark.parametrize(
    ("url", "sender", "says"),
    [
        ("smtp://mail.example", "", "set both"),
        ("", "no-reply@pay.example", "set both"),
        ("https://mail.example", "no-reply@pay.example", "smtp://user:password@mail.example:587"),
        ("smtp://mail.example/path", "no-reply@pay.example", "URL of a mail server"),
        ("smtp://mail.example:port", "no-reply@pay.example", "URL of a mail server"),
        ("smtp://hunter2@mail.example", "no-reply@pay.example", "without a password"),
        ("smtp+plain://mail.example", "no-reply@pay.example", "not encrypted"),
        ("smtp+plain://user:hunter2@127.0.0.1", "no-reply@pay.example", "not encrypted"),
        ("smtp://mail.example", "no-reply", "GATEWAY_EMAIL_FROM"),
        ("smtp://mail.example", "no-reply@localhost", "GATEWAY_EMAIL_FROM"),
        ("smtp://mail.example", "Pay <a@pay.example>\r\nBcc: b@c.example", "GATEWAY_EMAIL_FROM"),
    ],
)
def test_a_mail_server_that_is_none_is_refused_without_its_password(url: str, sender: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(says)) as refused:
        read({"GATEWAY_SMTP_URL": url, "GATEWAY_EMAIL_FROM": sender})
    assert "hunter2" not in str(refused.value)
