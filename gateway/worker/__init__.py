"""The worker: what goes on without anybody asking. Any number of workers share one database.

loop.py         run every job over and over
job.py          what the loop knows of a job
jobs/           one module per job, and the list of them
intervals.py    how often each job runs
worker.py       what the jobs need
block_time.py   how often the chain is asked for news, by how long its blocks take
job_runs.py     how often each job has run, and when it last went well   (pure)
measures.py     what is exported of a worker as metrics
catch_up.py     what a worker far behind says on the way   (pure)

No business rule is here: a job claims rows, calls functions of the packages and logs what came of it.
"""
