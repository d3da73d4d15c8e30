"""pay-many: a CSV file, paid row by row, a thousand payments to a request.

command.py   the command, and what it asks the gateway for
rows.py      the CSV file that it pays                        (pure)
results.py   the CSV file that the answers go into
"""
