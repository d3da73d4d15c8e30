"""The jobs of a worker, one module each: `run` does one piece of work and returns whether there was any.

relay.py        put queued authorizations into a stored chain transaction, and send it
watch.py        settle final blocks in the ledger
recover.py      after a restore, read from the chain what the database lacks
reconcile.py    compare the ledger with the chain and the bank; freeze withdrawals on a confirmed difference
resend.py       send unmined transactions again, raise their fee, stop a relayer whose nonce others have used
gas_balance.py  report when a relayer's gas balance runs low
expire.py       end holds, unsigned payments and freezes that have expired; send payments whose undo window has ended
sweep.py        retry sweeps
checkpoint.py   write checkpoints over the new rows of both logs
webhooks.py     send events to webhook endpoints
notifications.py  notify people of events of their wallets

Any number of workers run them side by side: rows are claimed, relayers are locked, the cursor is compared and set. A
new job is a module here and a line in `JOBS`.
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
