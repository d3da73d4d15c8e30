"""The worker: what goes on without anybody asking. Any number of workers share one database.

loop.py         claim rows, call the packages, sleep. No business rule is here
block_time.py   how often the chain is asked for news, by how long its blocks take
catch_up.py     what a worker far behind says on the way   (pure)
"""
