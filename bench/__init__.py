"""Benchmarks: what this project promises, measured, and ratios against peers on the same work.

`python -m bench` lists them, `python -m bench NAME [--quick] [--json]` runs one. The last printed
line is one JSON object with the figures, the load average and the seed. Processor time and ratios
are what counts: a clock on the wall says more about the machine's other work.
"""

from pathlib import Path

ROOT = Path(__file__).parent.parent  # of the repository: what a measured command imports from
