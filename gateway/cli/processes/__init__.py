"""The long-running processes of the gateway.

start.py    up: start the embedded parts, set up, take the tour, and run both processes until Ctrl-C
serve.py    serve: the HTTP server
work.py     work: the worker
process.py  shared by the two: signals, metrics
ports.py    ports to listen on
"""
