"""How far is it, how fast, when does it end, and does anything need a person?

`look` reads counters, samples of them, and Redis, and writes nothing; it takes the same time
whether a thousand or a million pages are stored. `stages` says how fast each stage goes and when
it ends, `problems` what is wrong, `show` puts all of it on one screen.
"""

from kkoracle.status.read import read_status
from kkoracle.status.records import Status

__all__ = ["Status", "read_status"]
