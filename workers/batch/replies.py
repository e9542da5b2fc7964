"""`kkoracle work --batch-in`: replies in files, judged as a worker judges and stored once.

Nothing of a file is trusted. A line becomes a result only when it names a task of this archive that
is open and asks for the prompt, sampling and model of these settings; every other line is set aside
and counted by a reason code, and its task stays open. Results are staged beside the spool some
thousand at a time and taken over by whoever may write it (`exchange.store.requests`): a daemon that
runs goes on feeding and collecting between two of them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from exchange.errors import NotFound
from exchange.inference import openai_replies
from exchange.lock import BATCH_LOCK, FileLock
from exchange.machine import map_in_processes
from exchange.project import Project
from exchange.recipes.registry import PromptRegistry
from exchange.store import requests
from exchange.store.results import (
    remove_staged_results,
    stage_results,
)
from exchange.store.spool import FILE
from workers.batch.judge import REPEATED, BatchIntake, LineJudge
from workers.batch.lines import BatchLine, read_lines
from workers.settings import WorkSettings

LINES_PER_ERRAND = 500  # judged at a time by one process: about a second
RESULTS_PER_FILE = 2000  # staged at a time: a daemon is held up for some two seconds
MOST_MODELS = 8  # that are told as having answered


def collect_batch(
    project: Project,
    archive: str,
    files: Sequence[Path],
    work: WorkSettings,
    prompts: PromptRegistry,
    *,
    processes: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> BatchIntake:
    """Judge the replies of these files (or of the files of folders) and store them.

    May be done again, with the same files or others: what is stored stays as it is.

    Args:
        processes: that judge; 0: as many as this machine has cores.
        progress: called with bytes done and in all.

    Raises:
        NotFound: a file is not there, or nothing was crawled yet.
        Busy: another such command runs.
    """
    paths = [path for one in files for path in _files_of(one)]
    directory = project.archive_dir(archive)
    if not (directory / FILE).exists():
        raise NotFound(f"nothing of {archive} yet: `kkoracle crawl {archive}` begins")
    total = sum(path.stat().st_size for path in paths)
    judge = LineJudge(directory, archive, work, prompts)
    found, waiting = BatchIntake(), []
    with FileLock(directory / BATCH_LOCK):
        remove_staged_results(directory)
        errands = _errands(_lines(paths))
        for judged in map_in_processes(judge, errands, processes or os.cpu_count() or 1):
            _add(found, judged.counts)
            waiting += judged.staged
            if len(waiting) >= RESULTS_PER_FILE:
                _store(directory, waiting, found)
                waiting = []
            progress(judged.end, total)
        if waiting:
            _store(directory, waiting, found)
    return found


def _files_of(path: Path) -> list[Path]:
    if path.is_dir():
        if found := sorted(path.glob("*.jsonl")):
            return found
        raise NotFound(f"{path} holds no .jsonl file")
    if not path.is_file():
        raise NotFound(f"no file {path}")
    return [path]


def _lines(paths: Sequence[Path]) -> Iterator[BatchLine]:
    before = 0
    for path in paths:
        with path.open("rb") as file:
            line = BatchLine(b"", 0)
            for line in read_lines(file):
                yield line._replace(end=before + line.end)
            before += line.end


def _errands(lines: Iterator[BatchLine]) -> Iterator[list[BatchLine]]:
    """Some lines at a time, fewer where they are long."""
    errand: list[BatchLine] = []
    size = 0
    for line in lines:
        errand.append(line)
        size += len(line.data)
        if len(errand) == LINES_PER_ERRAND or size > openai_replies.LONGEST_REPLY:
            yield errand
            errand, size = [], 0
    if errand:
        yield errand


def _store(directory: Path, staged: list[bytes], found: BatchIntake) -> None:
    path = stage_results(directory, staged)
    try:
        changed = requests.submit_request(directory, path.name, kind=requests.BATCH)
    finally:
        path.unlink(missing_ok=True)
    scored = sum(line.startswith(b'{"pair_id"') for line in staged)
    again = len(staged) - changed  # in another errand, or closed by a worker meanwhile
    found.read_back += min(scored, changed)
    found.closed += changed - min(scored, changed)
    if again:
        found.set_aside[REPEATED] += again


def _add(found: BatchIntake, more: BatchIntake) -> None:
    found.lines += more.lines
    found.accepted += more.accepted
    found.rejected += more.rejected
    found.set_aside += more.set_aside
    found.models += more.models
    if len(found.models) > MOST_MODELS:
        found.models = Counter(dict(found.models.most_common(MOST_MODELS)))
