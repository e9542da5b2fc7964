"""Before a run starts: what it will take, measured on a few of its own steps.

Up to twenty real steps, the longest batch among them, tell memory and time. What does not fit is
made to fit (activations computed twice, a step in several parts, a 4-bit base) and the reason is
given, or the run is refused: a machine that swaps is slower than one that waits. The steps leave
no trace: weights, optimizer and random numbers are put back.
"""
