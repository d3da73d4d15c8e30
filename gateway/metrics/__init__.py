"""Metrics of the gateway itself, in the format of Prometheus.

    histogram.py   count values by bucket                            (pure)
    traffic.py     requests and payments, as they are answered       (pure)
    catalogue.py   every metric: name, type, labels, meaning         (pure)
    exporter.py    read them at each scrape, and answer

Invariants:
  - counting uses plain integers and knows nothing of Prometheus, so it costs the same with or without scrapes, and next
    to nothing: a payment's answer adds one to three integers;
  - no label has a value that a caller chooses: routes are templates, outcomes and kinds are of fixed sets, and there
    are as many relayers, assets and jobs as are configured. No handle, wallet, payment or address of a client;
  - an exporter has exactly the metrics of the catalogue, and is built for each process: nothing is global.

`api/metrics.py` and `worker/metrics.py` register the metrics of a process. A new package adds its lines to the
catalogue, and its readers there.
"""
