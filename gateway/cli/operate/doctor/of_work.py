"""The worker, notifications, the recovery after a restore, and the checkpoints of the logs."""

from datetime import timedelta
from typing import Final

from gateway import assembly
from gateway.audit import checkpoint
from gateway.cli.operate.doctor.installation import Installation, Result, failed, ok, warning
from gateway.clock import rfc3339
from gateway.notifications.channels.email import SAYS, Email
from gateway.notifications.push.vapid import Vapid
from gateway.reconciliation import readiness

#: A worker writes a checkpoint every second; one that is so far behind does not.
_PENDING_LONG: Final = timedelta(minutes=1)

#: How long a mail server is waited for, in seconds.
_MAIL_SECONDS: Final = 10.0


async def worker(one: Installation) -> Result:
    async with one.database.reading() as connection:
        found, _ = await readiness.of_tokens(connection, one.settings)
    if found.worker != "ok":
        ever = "has ever run" if found.worker == "none" else "runs"
        return failed(f"no worker {ever}, so token payments wait: start 'gateway work'")
    if found.relayers != "ok":
        return failed(f"a worker runs, but {found.reason}")
    return ok("a worker runs, and its transactions become final")


async def email(one: Installation) -> Result:
    server = one.config.smtp
    if server is None:
        return ok("no e-mail is sent: GATEWAY_SMTP_URL is not set")
    at = f"{server.host}:{server.port}"
    if (why := await Email(server, seconds=_MAIL_SECONDS).test()) is not None:
        return failed(f"e-mail cannot be sent by {at}: {SAYS[why]}; see GATEWAY_SMTP_URL")
    if missing := one.warnings("GATEWAY_PUBLIC_URL"):
        return warning(f"{at} takes e-mail, but {missing}")
    return ok(f"{at} takes e-mail from {server.sender.addr_spec}")


async def push(one: Installation) -> Result:
    key = assembly.vapid_key(one.config, one.vault)
    if key is None:
        return ok("no push messages are sent: there is no key to sign them; set GATEWAY_VAPID_PRIVATE_KEY")
    source = "derived from the root key" if one.config.vapid_private_key is None else "of GATEWAY_VAPID_PRIVATE_KEY"
    says = f"push messages are signed by the key {Vapid(key, None).public_key}, {source}"
    if missing := one.warnings("GATEWAY_VAPID_SUBJECT"):
        return warning(f"{says}, but {missing}")
    return ok(says if one.config.public_url is not None else f"{says}; browsers take them at localhost alone")


async def recovery(one: Installation) -> Result:
    async with one.database.reading() as connection:
        found, _ = await readiness.of_tokens(connection, one.settings)
    if found.recovery is not None:
        return failed(f"{found.recovery}: see 'gateway recovery'")
    return ok("the database is not older than the chain")


async def checkpoints(one: Installation) -> Result:
    async with one.database.reading() as connection:
        newest = await checkpoint.head(connection)
        since = await checkpoint.pending_since(connection)
    last = f"the newest is {newest.number}, of {rfc3339(newest.at)}" if newest is not None else "there is none"
    if since is not None and one.database.clock() - since > _PENDING_LONG:
        return failed(f"no checkpoint covers what was logged since {rfc3339(since)}, {last}: start 'gateway work'")
    return ok(f"checkpoints cover both logs; {last}. 'gateway audit verify' verifies them")
