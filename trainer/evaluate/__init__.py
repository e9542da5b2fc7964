"""The truth of the result: several systems are asked the same questions, and measured.

`systems/` answer, `metrics/` measure one thing each, `rag/` finds chunks of the archive, `judge`
compares two answers by a model and is audited itself, `run` holds an evaluation together. What
all of them leave on the disk is in `records`; statistics and the report are made of that alone.
"""
