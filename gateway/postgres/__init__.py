"""PostgreSQL: connections, transactions, named statements, migrations. The driver is imported here and nowhere else.

pool.py             the pool, and the one way to open a transaction
transaction.py      a transaction on one connection, and what is confirmed before a refusal
outage_log.py       outages in the log: when one begins, and how long it was
driver_errors.py    what the driver raises, and what the gateway raises instead
connection.py       one connection: how it is opened, what is set on it, how it is given up
database_url.py     the URL, read before the driver reads it
primary.py          which of several servers takes writes
primary_monitor.py  whether the server is still the primary
prerequisites.py    what a server and a database have to be
statements.py       the SQL beside each module, by name
sizes.py            how large the tables are, and what memory there is for them
migration.py        a new database, and an older one brought up to date
"""
