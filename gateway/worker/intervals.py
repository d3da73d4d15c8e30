"""How often each job of the worker runs. All in one place, because jobs share the database, the node and two cores.

A job that found work runs again at once. Otherwise the worker waits the seconds given here. Four jobs do their work
less often than the worker runs them:

    watch        polls the node a few times per block, by how long blocks take (block_time.py)
    resend       each relayer, in one of all workers, every `RESEND_EVERY`, or twice a block if blocks are slow
    gas_balance  each relayer, in one of all workers, every `GAS_EVERY`, or twice a block if blocks are slow
    reconcile    in one of all workers, when there are new final blocks, and as `RECONCILIATION` says
"""

from datetime import timedelta
from typing import Final

from gateway.reconciliation import monitor

#: How long a worker waits after a run that found no work, in seconds.
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

#: How long a worker waits after a run that failed, in seconds.
AFTER_FAILURE: Final = 1.0

#: How often one of all workers sends a relayer's unmined transactions again.
RESEND_EVERY: Final = timedelta(seconds=1.5)

#: How often one of all workers reads a relayer's gas balance.
GAS_EVERY: Final = timedelta(seconds=10)

#: How often every wallet is compared, and when a difference is compared again.
RECONCILIATION: Final = monitor.SCHEDULE

#: After a batch has reverted, no further batch of that token is formed for this long: each would cost gas for nothing.
AFTER_REVERT: Final = timedelta(seconds=60)

#: How often the newest checkpoint is logged.
LOG_CHECKPOINT_EVERY: Final = timedelta(hours=1)

#: A log message that is still true is repeated after this long.
LOG_AGAIN_EVERY: Final = timedelta(minutes=5)
