"""The worker: background jobs. Any number of workers share one database.

loop.py         run every job repeatedly
job.py          a job, as the loop sees it
jobs/           one module per job, and the list of them
intervals.py    how often each job runs
worker.py       what the jobs need
block_time.py   how often the node is polled, by how long blocks take
job_runs.py     count the runs of each job, and when it last succeeded   (pure)
metrics.py      the worker's metrics
traces.py       the worker's spans of a payment's trace
catch_up.py     progress messages of a worker that is behind   (pure)

There are no business rules here: a job claims rows, calls functions of the packages and logs the result.
"""
