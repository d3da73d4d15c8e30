"""The rows of payments and conversions in the database.

records.py  read, list and update payments and conversions
search.py   a wallet's payments that match a filter
"""
