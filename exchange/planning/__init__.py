"""Which tasks an archive needs beside the chunk ones.

Dense, who-is, rephrased, refusal, correction and replay.
"""
