"""The table of all settings, which the reference page, `gateway --help` and `config check` show."""

from typing import Final

#: Name, default, meaning: the whole configuration.
SETTINGS: Final = (
    (
        "GATEWAY_CONFIG_FILE",
        "",
        "TOML file with settings, named in lower case without GATEWAY_; the environment takes precedence",
    ),
    ("GATEWAY_HOME", ".gateway", "the folder that holds all state"),
    ("GATEWAY_HOST", "127.0.0.1", "the address that the HTTP server listens on"),
    ("GATEWAY_PORT", "8000", "the port of the HTTP server; 0 picks a free one and prints it"),
    (
        "GATEWAY_PUBLIC_URL",
        "",
        "the URL at which people open the gateway, which signed messages name; empty: where it listens",
    ),
    ("GATEWAY_TRUSTED_PROXIES", "", "networks of the proxies in front, whose X-Forwarded-For is believed"),
    ("GATEWAY_SIGN_UPS_PER_HOUR", "600", "handles that one address may claim in an hour"),
    (
        "GATEWAY_TRIES_PER_MINUTE",
        "300",
        "sign-ins, handle look-ups, and wrong keys and names that one address may send in a minute",
    ),
    ("GATEWAY_REQUESTS_PER_MINUTE", "60000", "requests that one caller may send in a minute"),
    (
        "GATEWAY_METRICS_PORT",
        "",
        "the port of GET /metrics; serve and work each need their own (up gives work the next one); 0 picks a free one "
        "and prints it; empty: no metrics",
    ),
    ("GATEWAY_METRICS_HOST", "127.0.0.1", "the address of that port; it asks for no key, so let only Prometheus in"),
    ("GATEWAY_LOG_FORMAT", "text", "the log format of serve and work: text, or json (one object per line)"),
    (
        "GATEWAY_ACCESS_LOG",
        "off",
        "on: serve logs every request, by its route's template and without personal data",
    ),
    (
        "GATEWAY_TRACES_URL",
        "",
        "where serve and work send traces by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; empty: nowhere",
    ),
    ("GATEWAY_TRACES_RATIO", "0.01", "the part of payments, and of other requests, that is traced: from 0 to 1"),
    (
        "GATEWAY_DRAIN_SECONDS",
        "0",
        "how long a stopping server still answers while /health/ready is 503, so that load balancers leave it first",
    ),
    (
        "GATEWAY_STOP_SECONDS",
        "10",
        "how long a stopping process may take to finish its work",
    ),
    ("GATEWAY_DATABASE_URL", "", "the URL of your own PostgreSQL; empty: one is embedded"),
    ("GATEWAY_DATABASE_URL_FILE", "", "a file to read that URL from, for secrets that are mounted as files"),
    (
        "GATEWAY_DATABASE_CONNECT_SECONDS",
        "5",
        "how long connecting may take; connect_timeout in the URL takes precedence",
    ),
    ("GATEWAY_DATABASE_STATEMENT_SECONDS", "10", "how long a statement of a request may take"),
    ("GATEWAY_RPC_URL", "", "the URL of your own Ethereum node; empty: a local anvil is embedded"),
    ("GATEWAY_RPC_URL_FILE", "", "a file to read that URL from, for secrets that are mounted as files"),
    (
        "GATEWAY_RELAYER_KEY_FILE",
        "",
        "file with the relayers' private keys (hex), one a line; empty: those of the local chain",
    ),
    (
        "GATEWAY_MASTER_KEY_FILE",
        "",
        "file with the master keys (hex) that encrypt the wallets' keys, one a line; empty: master.key in the home",
    ),
    (
        "GATEWAY_ROOT_KEY_FILE",
        "",
        "file with the root key (hex) that new wallets' keys are derived from; empty: root.key in the home",
    ),
    ("GATEWAY_CURRENCIES", "EUR,USD,THB,JPY", "ISO 4217 codes of the fiat assets"),
    ("GATEWAY_TOKENS", "USDX:USD:6", "tokens as CODE:CURRENCY:DECIMALS, each backed at par by its currency"),
    (
        "GATEWAY_FINALITY",
        "finalized",
        "when a block is final: what the node calls 'finalized', or a number of blocks on top of it",
    ),
    ("GATEWAY_BLOCK_SECONDS", "0.5", "time between two blocks of the embedded chain"),
    (
        "GATEWAY_BATCH_WAIT_SECONDS",
        "0.2",
        "how long a token payment waits for others to share a chain transaction with",
    ),
    ("GATEWAY_AUTHORIZATION_SECONDS", "3600", "how long a signed token payment may be settled"),
    (
        "GATEWAY_SIGNATURE_SECONDS",
        "900",
        "how long a token payment waits for its payer's own signature",
    ),
    ("GATEWAY_HOLD_SECONDS", "604800", "how long a hold lasts before it expires"),
    ("GATEWAY_GAS_BATCHES_MIN", "10", "warn when a relayer's gas balance pays for fewer full batches than this"),
    (
        "GATEWAY_LEDGER_FEE_BASIS_POINTS",
        "0",
        "the payer's fee on the ledger rail, in basis points (hundredths of a percent), rounded down",
    ),
    (
        "GATEWAY_WEBHOOK_SCHEMES",
        "https",
        "the schemes that webhook URLs may have: https, or https,http",
    ),
    (
        "GATEWAY_WEBHOOK_NETWORKS",
        "",
        "networks that webhooks may be sent to in addition to public addresses, such as 10.1.0.0/16",
    ),
    (
        "GATEWAY_SMTP_URL",
        "",
        "the mail server that sends notifications, such as smtp://user:password@mail.example:587 (STARTTLS) or "
        "smtps:// (TLS); empty: no e-mail is sent",
    ),
    ("GATEWAY_SMTP_URL_FILE", "", "a file to read that URL from, for secrets that are mounted as files"),
    ("GATEWAY_EMAIL_FROM", "", "the sender of e-mail, such as Example Pay <no-reply@pay.example>"),
    (
        "GATEWAY_VAPID_PRIVATE_KEY",
        "",
        "the key that web pushes are signed with (base64url or PEM); empty: it is derived from the root key",
    ),
    ("GATEWAY_VAPID_PRIVATE_KEY_FILE", "", "a file to read that key from, for secrets that are mounted as files"),
    (
        "GATEWAY_VAPID_SUBJECT",
        "",
        "where push services reach the operator: a mailto: or https: URL; empty: GATEWAY_PUBLIC_URL, if that is https",
    ),
)

#: Settings that may contain a password or an access key. They are never shown, and `<name>_FILE` names a file to read
#: them from.
SECRETS: Final = ("GATEWAY_DATABASE_URL", "GATEWAY_RPC_URL", "GATEWAY_SMTP_URL", "GATEWAY_VAPID_PRIVATE_KEY")
