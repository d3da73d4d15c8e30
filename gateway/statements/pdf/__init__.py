"""PDFs of statements and receipts, each made in its own process, which alone imports the PDF library.

document.py   the content of a statement's PDF                           (pure)
maker.py      starts the process, for a few readers at a time
process.py    the process
sheet.py      a document of pages of A4: fonts, lines, feet
statement.py  the pages of a statement
receipt.py    the page of a receipt
wrap.py       breaks text into lines                                     (pure)
"""
