"""PostgreSQL: connections, transactions, named statements, migrations. The only package that imports the driver.

pool.py             the pool, and the one way to open a transaction
transaction.py      a transaction on one connection, and confirming before an error is answered
outage_log.py       log outages: their begin and their length
driver_errors.py    translate the driver's errors
connection.py       one connection: open it, its settings, abandon it
database_url.py     read the URL before the driver does
primary.py          find the server that accepts writes
primary_monitor.py  watch whether the server is still the primary
prerequisites.py    check the server and the database at the start
statements.py       the SQL beside each module, by name
sizes.py            sizes of tables and indexes, and of PostgreSQL's cache
migration.py        create or update the schema
"""
