"""The rows of payments and conversions in the database.

records.py  rows to payments and conversions, and back; the lists
search.py   a wallet's payments that fit a filter
"""
