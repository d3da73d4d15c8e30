"""The worker, notifications, the recovery after a restore, and the checkpoints of the logs."""

from typing import Final

from gateway import assembly
from gateway.cli.operate.doctor.installation import Installation
from gateway.notifications.channels.email import SAYS, Email
from gateway.notifications.push.vapid import Vapid
from gateway.reconciliation import diagnosis
from gateway.reconciliation.diagnosis import Result, failed, ok, warning

#: How long to wait for a mail server, in seconds.
_MAIL_SECONDS: Final = 10.0


async def worker(one: Installation) -> Result:
    return await diagnosis.worker(one.database, one.settings)


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
    message = f"push messages are signed by the key {Vapid(key, None).public_key}, {source}"
    if missing := one.warnings("GATEWAY_VAPID_SUBJECT"):
        return warning(f"{message}, but {missing}")
    return ok(message if one.config.public_url is not None else f"{message}; browsers take them at localhost alone")


async def recovery(one: Installation) -> Result:
    return await diagnosis.recovery(one.database, one.settings)


async def checkpoints(one: Installation) -> Result:
    return await diagnosis.checkpoints(one.database)
