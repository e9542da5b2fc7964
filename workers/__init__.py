"""Generation workers: a job in, judged question/answer pairs out.

A worker holds one model and keeps many jobs in flight through one continuous batch. It knows
tasks and Redis, never the spool: what it stores in Redis the daemon's collector brings home.
"""
