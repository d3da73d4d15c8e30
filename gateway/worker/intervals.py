"""How often each job of the worker runs. All in one place, because jobs share the database, the node and two cores.

A job that found something to do runs again at once. Otherwise its worker waits as many seconds as stand here. Four jobs
run less often than their worker tries them:

    watch        asks the node a few times in a block, by how long blocks take (block_time.py)
    resend       each relayer, at one worker of all, every `RESEND_EVERY`, or twice a block where blocks are slow
    gas_balance  each relayer, at one worker of all, every `GAS_EVERY`, or twice a block where blocks are slow
    reconcile    at one worker of all, when there are new final blocks, and as `RECONCILIATION` says
"""

from datetime import timedelta
from typing import Final

from gateway.reconciliation import monitor

#: What a worker waits, in seconds, after a run that found nothing to do.
RELAY: Final = 0.05
WATCH: Final = 0.1
RECOVER: Final = 1.0
RECONCILE: Final = 1.0
RESEND: Final = 2.0
GAS_BALANCE: Final = 5.0
EXPIRE: Final = 1.0
SWEEP: Final = 1.0
CHECKPOINT: Final = 1.0
WEBHOOKS: Final = 0.5
NOTIFICATIONS: Final = 0.5

#: What a worker waits, in seconds, after a run that failed.
AFTER_FAILURE: Final = 1.0

#: How often one of all workers sends again what a relayer has in no block.
RESEND_EVERY: Final = timedelta(seconds=1.5)

#: How often one of all workers reads a relayer's gas balance.
GAS_EVERY: Final = timedelta(seconds=10)

#: How often every wallet is compared, and when a difference is compared again.
RECONCILIATION: Final = monitor.SCHEDULE

#: After a batch that reverted, no further one of that token is formed for so long: each costs gas for nothing.
AFTER_REVERT: Final = timedelta(seconds=60)

#: How often the newest checkpoint is logged.
LOG_CHECKPOINT_EVERY: Final = timedelta(hours=1)

#: A line in the log that is still true is logged again after so long.
LOG_AGAIN_EVERY: Final = timedelta(minutes=5)
