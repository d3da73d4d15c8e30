"""Statements: what an account had when a period began, each entry of it, and what it had at the end.

Invariants:
  - opening balance + paid in - paid out = closing balance, per asset, in units;
  - a statement is read at one moment: its entries are the numbers from one to another of an account, and those are
    never changed. Reading it takes as long as one likes, and it stays the same;
  - a month begins when it does in a time zone that the reader names.

period.py     from when until when, and what it is called in a file's name   (pure)
statement.py  balances, sums and lines
turns.py      whose sums are read: a few at a time
csv_file.py   lines as CSV                                                   (pure)
pdf_maker.py  PDFs, each made by a process of its own: pdf_process.py, of a pdf_document.py, with pdf_wrap.py
texts.py      what statements say; locale/: in other languages than English   (pure)
"""
