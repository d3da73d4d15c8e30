"""The commands. `__main__` declares them; each file here implements some of them.

wallet/      commands for a handle: pay, hold, grant, list
pay_many/    pay-many: a CSV file, paid row by row
operate/     commands of operators: migrate, reconcile, audit, relayers, master keys
processes/   the long-running processes: up, serve, work
options.py   options that commands share
reference.py the reference pages of the documentation, made from the code
output.py    tables and fields for people
"""
