"""The SQLite files of an archive, which are the truth: schema, spool, tasks, verdicts, review, corpus, export, history."""
