"""The SQLite files of an archive, which are the truth.

Schema, spool, tasks, verdicts, review, corpus, export and history.
"""
