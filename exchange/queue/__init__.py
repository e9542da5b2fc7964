"""Redis, which only buffers.

Its keys, process, client and access; feeder, collector, reconcile and the thread that runs them.
"""
