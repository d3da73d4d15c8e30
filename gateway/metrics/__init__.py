"""Metrics: what the gateway counts and measures about itself, in the format of Prometheus.

    histogram.py   how often a value fell into each bucket           (pure)
    traffic.py     requests and payments, as they are answered       (pure)
    catalogue.py   every metric: name, type, labels, meaning         (pure)
    exporter.py    reads them when somebody asks, and answers

Invariants:
  - who counts keeps plain integers and knows nothing of Prometheus, so counting costs the same whether somebody asks
    or not, and next to nothing: a payment's answer adds one to three integers;
  - no label has a value that a caller chooses: routes are templates, outcomes and kinds are of fixed sets, and there
    are as many relayers, assets and jobs as are configured. No handle, wallet, payment or address of a client;
  - an exporter names exactly the metrics of the catalogue, and is built for each process: nothing is global.

What is exported of a process stands in `api/measures.py` and `worker/measures.py`. A new package adds its lines to the
catalogue, and there who reads them.
"""
