"""Statements: an account's opening balance for a period, its entries, and its closing balance; and receipts.

Invariants:
  - opening balance + paid in - paid out = closing balance, per asset, in units;
  - a statement is read at one moment: its entries are a range of an account's numbers, and entries never change. So it
    stays the same however long it takes to read it;
  - a month begins at midnight in a time zone that the reader names.

period.py     a period's times, and its name in a file name                  (pure)
statement.py  balances, sums and lines
slots.py      limits how many statements are summed at once
csv_file.py   lines as CSV                                                   (pure)
receipt.py    the content of a payment's receipt                             (pure)
pdf/          both as PDFs
texts.py      the texts of statements; locale/: their translations           (pure)
"""
