"""The long-running processes of the gateway.

start.py    up: the embedded parts, the set-up, the tour, and both processes, until Ctrl-C
serve.py    serve: the HTTP server
work.py     work: the worker
process.py  what the two have in common: signals, metrics
ports.py    ports to listen on
"""
