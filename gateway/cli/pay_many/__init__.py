"""pay-many: pays the rows of a CSV file, a thousand payments per request.

command.py   the command, and its requests
rows.py      the CSV file that it pays                        (pure)
results.py   the CSV file of results
"""
