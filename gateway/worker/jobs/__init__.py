"""The jobs of a worker, one module each: `run` does one piece of work and returns whether there was any.

relay.py        queued authorizations become a stored chain transaction, which is sent
watch.py        final blocks are settled in the ledger
recover.py      after a restore, what the database lacks is read from the chain
reconcile.py    the ledger is compared with the chain and the bank; what differs twice freezes withdrawals
resend.py       what is stored and in no block is sent again, or its fee raised; a relayer whose nonces others use stops
gas_balance.py  tells when a relayer's gas balance runs low
expire.py       ends holds, unsigned payments and unconfirmed freezes whose time is over; sends what cannot be undone
sweep.py        tokens at an address that their wallet has left follow the wallet
checkpoint.py   a checkpoint covers the new rows of both logs
webhooks.py     events are sent to the endpoints of the wallets that they concern
notifications.py  people are told what happened to their wallets

Any number of workers run them side by side: rows are claimed, relayers are taken, the cursor is compared and set.
A new job is a module here and a line in `JOBS`.
"""

from typing import Final

from gateway.worker import intervals
from gateway.worker.job import Job
from gateway.worker.jobs import (
    checkpoint,
    expire,
    gas_balance,
    notifications,
    reconcile,
    recover,
    relay,
    resend,
    sweep,
    watch,
    webhooks,
)

JOBS: Final = (
    Job("relay", relay.run, intervals.RELAY),
    Job("watch", watch.run, intervals.WATCH),
    Job("recover", recover.run, intervals.RECOVER),
    Job("reconcile", reconcile.run, intervals.RECONCILE),
    Job("resend", resend.run, intervals.RESEND),
    Job("gas_balance", gas_balance.run, intervals.GAS_BALANCE),
    Job("expire", expire.run, intervals.EXPIRE),
    Job("sweep", sweep.run, intervals.SWEEP),
    Job("checkpoint", checkpoint.run, intervals.CHECKPOINT),
    Job("webhooks", webhooks.run, intervals.WEBHOOKS, webhooks.news),
    Job("notifications", notifications.run, intervals.NOTIFICATIONS),
)
