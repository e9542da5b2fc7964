"""The front door: one command line over crawler, workers and trainer.

It composes the stages and holds no logic of any of them.
"""

__version__ = "0.2.0"
