"""Generate or train, not both: on one GPU they only take turns, and neither has its memory.

Several workers may share it (though one wide batch is faster), a training run has it alone. The
lock is a file in the data folder, and ends with its holder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exchange.errors import UserError
from exchange.lock import FileLock

LOCK = "gpu.lock"


@contextmanager
def held(data: Path, *, shared: bool = False) -> Iterator[None]:
    """This machine's GPU, or its processor where there is none.

    Args:
        shared: others may hold it too, if they also share it.

    Raises:
        UserError: somebody else needs it alone, or we do and somebody has it.
    """
    lock = FileLock(data / LOCK)
    try:
        if not lock.acquire(shared=shared):
            raise UserError(
                f"training runs on this machine (pid {lock.holder()}): generate or train, not "
                "both; start again when it is done"
                if shared
                else "a worker is generating, a model is open in a chat or the studio, or another "
                f"run is training on this machine ({LOCK}): they would only slow each other "
                "down; stop it first, or wait until it ends"
            )
        yield
    finally:
        lock.release()
