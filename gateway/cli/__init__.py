"""The command line. `__main__` names the commands; each file here carries some of them out.

wallet/      what a person does with a handle: pay, hold, approve, grant
pay_many/    pay-many: a CSV file, paid row by row
operate/     what an operator runs: migrate, reconcile, audit, relayers, master keys
processes/   what keeps running: up, serve, work
options.py   options that commands share
reference.py the reference pages of the documentation, made from the code
output.py    tables and fields as people read them
"""
