"""The ground floor: what passes between the stages, and what all of them need.

Records, text folding, the SQLite files that are the truth, the Redis that only buffers, and
the feeder, collector and reconciler that move tasks between the two. This package imports no
stage; the stages (crawler, workers, trainer) import it and never each other.
"""
