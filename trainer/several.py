"""One run on several Macs: what the processes that `mlx.launch` starts have to settle first.

Each of them has the same settings, model and dataset on its own disk. The leader alone writes into
the archive's folder and shows anything; the others keep what the loop writes in a folder that is
thrown away, and get the state to go on from from the leader.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from exchange import gpu
from trainer.runs import Run

if TYPE_CHECKING:
    from trainer.lora.group import Group

RANKS = ("MLX_RANK", "OMPI_COMM_WORLD_RANK")  # set by mlx.launch, for its own backends and for MPI


def launched() -> bool:
    """True when this process was started as one of several."""
    return any(os.environ.get(name) for name in RANKS)


def follows() -> bool:
    """True in every process but the one that writes and shows."""
    return any(os.environ.get(name, "0") not in ("", "0") for name in RANKS)


@contextmanager
def held(data: Path, group: Group) -> Iterator[None]:
    """This machine's GPU, once: processes beside the leader on one machine are under its lock.

    Raises:
        UserError: somebody else has it.
    """
    here = platform.node()
    leading = group.from_leader(here.encode()).decode()
    with nullcontext() if leading == here and not group.leader else gpu.held(data):
        yield


@contextmanager
def followed(run: Run, group: Group) -> Iterator[Run]:
    """The run to write to: the leader's own, and for the others one that is thrown away.

    The others begin with the leader's state, so that all go on from the same step.
    """
    from trainer.lora import state

    if group.size == 1:
        yield run
        return
    stored = run.folder / state.FILE
    if group.leader:
        group.from_leader(stored.read_bytes() if stored.exists() else b"")
        yield run
        return
    found = group.from_leader(b"")
    with TemporaryDirectory(prefix="kkoracle-") as scratch:
        mine = Run(Path(scratch), run.name)
        mine.folder.mkdir(parents=True)
        if found:
            (mine.folder / state.FILE).write_bytes(found)
        yield mine
