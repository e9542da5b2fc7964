"""Redis, which only buffers: its keys, process, client and access; feeder, collector, reconciler and the thread that runs them."""
