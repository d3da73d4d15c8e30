"""The commands of operators, which access the database and the node directly.

operations.py          migrate, deploy, reconcile
relayers.py            list the relayers, and resume a stopped one
withdrawal_freezes.py  list frozen withdrawals, and unfreeze them
chain.py               chain reread: read final blocks again
recovery.py            the losses of a restore, and repairs by one person at the machine
security.py            the commands about operators, both logs and the master keys: arguments, examples
operators.py           list and manage operators, and break-glass
audit_log.py           the audit log, and verifying both logs against their checkpoints
master_keys.py         list and rotate the master keys
printout.py            the output of the commands for people
sizes.py               the sizes of the tables
configuration.py       config check: every setting, and its faults
doctor/                diagnostics of the installation, with what to do
"""
