"""The baseline of bulk payments: a transfer as one call of a plain PL/pgSQL function, from 16 clients of pgbench.

It has a database of its own on the same server, and the least that such a ledger needs: a row for the idempotency key,
two accounts updated in the order of their ids and checked for funds, a row for the transfer, and two entries. It checks
no API key, writes no events, and answers nobody over HTTP.
"""

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

from benchmarks import machine
from benchmarks.rig import Rig

DATABASE = "peer"
ACCOUNTS, CLIENTS = 10_000, 16
_EACH = 100_000_000

_SCHEMA = """
CREATE TABLE account (id bigint PRIMARY KEY, balance numeric NOT NULL CHECK (balance >= 0)) WITH (fillfactor = 50);
CREATE TABLE idempotency_key (key uuid PRIMARY KEY, transfer_id bigint NOT NULL);
CREATE TABLE transfer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payer bigint NOT NULL, payee bigint NOT NULL,
    amount numeric NOT NULL, created_at timestamptz NOT NULL
);
CREATE TABLE entry (
    account_id bigint NOT NULL, transfer_id bigint NOT NULL, amount numeric NOT NULL, balance numeric NOT NULL,
    PRIMARY KEY (account_id, transfer_id)
);

CREATE FUNCTION pay(key uuid, payer bigint, payee bigint, amount numeric) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint; payer_balance numeric; payee_balance numeric;
BEGIN
    INSERT INTO transfer (payer, payee, amount, created_at) VALUES (payer, payee, amount, now()) RETURNING id INTO made;
    INSERT INTO idempotency_key VALUES (key, made);
    IF payer < payee THEN
        UPDATE account SET balance = balance - amount WHERE id = payer RETURNING balance INTO payer_balance;
        UPDATE account SET balance = balance + amount WHERE id = payee RETURNING balance INTO payee_balance;
    ELSE
        UPDATE account SET balance = balance + amount WHERE id = payee RETURNING balance INTO payee_balance;
        UPDATE account SET balance = balance - amount WHERE id = payer RETURNING balance INTO payer_balance;
    END IF;
    IF payer_balance < 0 THEN
        RAISE EXCEPTION 'insufficient funds';
    END IF;
    INSERT INTO entry VALUES (payer, made, -amount, payer_balance), (payee, made, amount, payee_balance);
    RETURN made;
END $$;
"""
_SCRIPT = f"""\\set payer random(1, {ACCOUNTS})
\\set payee 1 + (:payer - 1 + random(1, {ACCOUNTS - 1})) % {ACCOUNTS}
\\set amount random(1, 20)
SELECT pay(gen_random_uuid(), :payer, :payee, :amount);
"""


async def create(rig: Rig) -> None:
    await rig.create_database(DATABASE)
    async with rig.connected(DATABASE) as connection:
        await connection.execute(_SCHEMA)
        await connection.execute("INSERT INTO account SELECT n, $2 FROM generate_series(1, $1) AS n", ACCOUNTS, _EACH)
        await connection.execute("VACUUM ANALYZE")


async def transfers_per_second(rig: Rig, seconds: float) -> float:
    """How many pgbench commits per second, without the time it takes to connect."""
    script = rig.home / "peer.sql"
    script.write_text(_SCRIPT)
    socket = parse_qs(urlsplit(rig.server.dsn).query)["host"][0]
    user = urlsplit(rig.server.dsn).username
    pgbench = await asyncio.create_subprocess_exec(
        *(
            machine.program_of_postgres("pgbench"),
            "-h",
            socket,
            "-U",
            user or "",
            "-n",
            "-M",
            "prepared",
            "-f",
            str(script),
        ),
        *("-c", str(CLIENTS), "-j", "2", "-T", str(max(round(seconds), 1)), DATABASE),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await pgbench.communicate())[0].decode()
    found = re.search(r"tps = ([\d.]+) \(without initial connection time\)", said)
    failed = re.search(r"number of failed transactions: (\d+)", said)
    if pgbench.returncode or not found or (failed and int(failed[1])):
        raise RuntimeError(f"pgbench failed: {said[-2000:]}")
    return float(found[1])


async def faults(rig: Rig) -> list[str]:
    """What is wrong with the peer's own ledger after the runs."""
    async with rig.connected(DATABASE) as connection:
        total = await connection.fetchval("SELECT sum(balance) FROM account")
        entries = await connection.fetchval("SELECT count(*) FROM entry")
        transfers = await connection.fetchval("SELECT count(*) FROM transfer")
        keys = await connection.fetchval("SELECT count(*) FROM idempotency_key")
    right = total == ACCOUNTS * _EACH and entries == 2 * transfers and keys == transfers
    return [] if right else [f"the peer has {total} in all, {entries} entries, {transfers} transfers, {keys} keys"]
