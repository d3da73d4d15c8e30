"""The commands that an operator runs, with the database and the node at hand.

operations.py          migrate, deploy, reconcile
relayers.py            the relayers, and letting a stopped one go on
withdrawal_freezes.py  whose withdrawals are stopped, and letting them go on
chain.py               chain reread: final blocks are read again
recovery.py            what a restore has lost, and what one person at the machine does about it
security.py            the commands about operators, both logs and the master keys: arguments, examples
operators.py           who acts for the gateway, and break-glass
audit_log.py           the audit log, and whether both logs match their checkpoints
master_keys.py         the master keys, and rotating them
printout.py            what the commands print for people
sizes.py               how large the tables have grown
configuration.py       config check: every setting, and what is wrong with any
doctor/                what the installation lacks, and what to do about it
"""
