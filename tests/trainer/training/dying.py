"""`kkoracle train`, killed at each point of writing a checkpoint; one process for all points.

`python -m tests.trainer.training.dying CALM KILLED` trains the run CALM to its end and notes each
sort of write that its checkpoints take: a file opened, forced, renamed or removed, a folder made,
an array file half written. Then KILLED dies once right before each of them, and each time goes on
with the same command; at last it goes to its end. One JSON line a death says where it was. Every
life is a fork of a process that has only imported: MLX has evaluated nothing yet.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlx.core as mx

import trainer.training.train  # noqa: F401  # so that no life has to import it
from exchange import files
from kkoracle.cli import main

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}


JOURNALS = ("metrics.jsonl", "samples.jsonl")  # of every step, and no part of a checkpoint


class WriteWatch:
    """Notes the writes below a run's folder, and dies right before one of them."""

    def __init__(self, run: str, dies_at: str, spared: int) -> None:
        """`dies_at` is what is done to which file; so many of these writes are let pass."""
        self._part = f"/runs/{run}/"
        self._dies_at = dies_at
        self._spared = spared
        self.seen: list[str] = []

    def install(self) -> None:
        """Look at every write of this process from now on."""
        sys.addaudithook(self._look)
        sync, save = files.sync_path, mx.save_safetensors

        def sync_path(path: Path) -> None:
            self._reach("fsync", path)
            sync(path)

        def save_safetensors(path: str, *rest: Any) -> None:
            save(path, *rest)
            whole = Path(path).stat().st_size
            self._reach("half written", path, lambda: os.truncate(path, whole // 2))

        files.sync_path, mx.save_safetensors = sync_path, save_safetensors  # type: ignore[assignment]

    def _look(self, event: str, given: tuple[Any, ...]) -> None:
        if event not in EVENTS or not isinstance(given[0], str | os.PathLike):
            return
        if event == "open" and not (given[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        self._reach(event, given[0])

    def _reach(
        self, what: str, path: str | os.PathLike[str], leave: Callable[[], None] = lambda: None
    ) -> None:
        name = f"{os.fspath(path)}/".partition(self._part)[2]
        if not name or any(journal in name for journal in JOURNALS):
            return
        point = f"{what} {name}"
        self.seen.append(point)
        if point == self._dies_at and self.seen.count(point) > self._spared:
            leave()
            os.kill(os.getpid(), signal.SIGKILL)


def live(run: str, words: list[str], dies_at: str = "", spared: int = 0) -> tuple[int, list[str]]:
    """One life of the command: its exit code, and what it wrote if it was not killed."""
    told = Path("written")
    child = os.fork()
    if not child:
        with suppress(BaseException):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.argv = ["kkoracle", "train", "--name", run, *words]
            watch = WriteWatch(run, dies_at, spared)
            watch.install()
            atexit.register(lambda: told.write_text("\n".join(watch.seen)))
            main()
        os._exit(1)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code, told.read_text().splitlines() if code == 0 else []


if __name__ == "__main__":
    calm, killed, *words = sys.argv[1:]
    code, written = live(calm, words)
    assert code == 0, "the undisturbed run failed"
    often = [point for point, count in Counter(written).items() if count > 1]
    for number, point in enumerate(often):
        # The first life has a checkpoint behind it when it dies; the others begin with one.
        died, _ = live(killed, words, point, spared=int(number == 0))
        print(json.dumps({"point": point, "died": died}), flush=True)
    sys.exit(live(killed, words)[0])
