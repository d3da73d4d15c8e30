"""What the command line does. `__main__` names the commands; each of these files carries some of them out.

building.py   the parts of a running gateway, built by hand from the configuration
running.py    serve and work: one process each
upping.py     up: the embedded parts, the set-up, the tour, and both processes, until Ctrl-C
tour.py       the first start: three handles, some money, a payment on each rail
operating.py  migrate, deploy, reconcile
auditing.py   the acts, and whether the logs are as they were sealed
freezes.py    whose withdrawals are stopped, and letting them go on
guarding.py   the commands about operators, both logs and the master keys: arguments, examples
operators.py  who acts for the house, and break-glass
lanes.py      how the relayers' lanes stand, and letting a stopped one go on
sizes.py      how large the tables have grown (sizes.sql says so)
person.py     the commands for who has a handle: arguments, examples
protecting.py what goes without approval, and that a payment was not one's own
granting.py   what programs and others may: api-keys and mandates
rotating.py   the master keys
paying.py     pay-many: a CSV file, paid row by row
rows.py       the CSV file that it pays
results.py    the CSV file that its answers go into
options.py    the options that commands have in common
asking.py     asking for a handle, and showing the answer
client.py     what a person does with a handle, over HTTP
printing.py   tables for people, JSON for programs
reference.py  the reference pages that are made from the code
"""
