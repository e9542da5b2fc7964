"""Generation workers: a job in, graded question/answer pairs out.

A worker holds one model and keeps many jobs in flight through one continuous batch. It knows
tasks and Redis, never the spool: the daemon's collector moves what it stores in Redis to the spool.
"""
