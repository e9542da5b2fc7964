"""`kkoracle work --batch-out`: the open tasks of an archive as requests in files.

A file holds requests of one kind of task side by side, which begin alike: what a server that
shares prefixes has computed for one serves the next. Memory is that of a page of tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import NotEnoughData, NotFound, UsageError
from exchange.files import atomic_folder, write_atomic, write_hashed
from exchange.inference.engine import Message
from exchange.inference.openai_replies import SWITCH, THINKING_OFF
from exchange.lock import daemon_lock
from exchange.planning.planner import Planner, PlanSettings, adopt_recipe, retire_tasks
from exchange.project import Project
from exchange.recipes.recipe import Recipe
from exchange.recipes.registry import PromptRegistry
from exchange.records import Pair
from exchange.store import tasks
from exchange.store.spool import Spool
from workers.batch.lines import READ_BACK, request_line
from workers.request_builder import first_seed
from workers.settings import WorkSettings
from workers.verify.step import KINDS, LONGEST_ANSWER, ROUND_TRIP

MANIFEST = "manifest.json"
MOST_REQUESTS = 50_000  # of a file: OpenAI takes no more
MOST_BYTES = 190 * 10**6  # of a file: OpenAI takes 200 MB

_UNREAD = f"""SELECT p.rowid, p.task_id, p.record FROM pairs p JOIN tasks t ON t.id=p.task_id
WHERE p.rowid>? AND p.status='accepted' AND t.kind IN ({",".join("?" * len(KINDS))})
AND json_extract(CAST(p.record AS TEXT), '$.scores.{ROUND_TRIP}') IS NULL
ORDER BY p.rowid LIMIT {tasks.PAGE}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchManifest:
    """What a folder of requests holds; nothing reads it but people and their scripts."""

    archive: str
    spool: str  # its identity
    recipe: str
    model: str  # as asked for
    served_as: str  # as the requests name it
    sampling: str
    made_at: str
    requests: dict[str, int]  # by kind of task; `verify` for pairs that are asked again
    files: list[dict[str, Any]]  # name, requests, bytes, sha256


def write_batch(
    project: Project,
    archive: str,
    folder: Path,
    work: WorkSettings,
    prompts: PromptRegistry,
    *,
    per_file: int = MOST_REQUESTS,
    plain: bool = False,
) -> BatchManifest:
    """Write a request for each open task, and with `verify` for each pair not yet read back.

    Args:
        per_file: requests of a file.
        plain: without the field that turns thinking off, which OpenAI itself refuses.

    Raises:
        UsageError: the folder holds something already, or the recipe changed.
        NotFound: nothing was crawled yet.
        NotEnoughData: no task is open.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} holds something already: name a new folder")
    directory = project.archive_dir(archive)
    if not directory.is_dir():
        raise NotFound(f"nothing of {archive} yet: `kkoracle crawl {archive}` begins")
    recipe = prompts.recipe(project.language(archive))
    _plan(project, archive, directory, recipe)
    counts: Counter[str] = Counter()
    with closing(Spool.read(directory)) as spool, atomic_folder(folder) as partial:
        writer = _RequestWriter(spool, archive, work, prompts, counts, plain=plain)
        files = list(_write_files(partial, writer.lines(recipe), per_file))
        if not files:
            raise NotEnoughData(
                f"no task of {archive} is open for the prompt, sampling and model of these "
                f"settings: `kkoracle crawl {archive}` brings more"
            )
        manifest = BatchManifest(
            archive=archive,
            spool=spool.meta("identity"),
            recipe=recipe.id,
            model=recipe.model,
            served_as=work.served_as or recipe.model,
            sampling=recipe.sampling,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            requests=dict(counts),
            files=files,
        )
        found = orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2)
        write_atomic(partial / MANIFEST, found)
    return manifest


def _plan(project: Project, archive: str, directory: Path, recipe: Recipe) -> None:
    """Make the tasks that follow from what is here. Where a daemon runs, it does so all along."""
    lock = daemon_lock(directory)
    if not lock.acquire():
        return
    try:
        with closing(Spool.open(directory)) as spool:
            adopt_recipe(spool, recipe, archive, adopt=False)
            retire_tasks(spool, recipe)
            questions = project.questions(recipe.language) if project.questions else ()
            settings = project.config.table("plan", PlanSettings)
            planner = Planner(archive, recipe, settings, questions)
            while not planner.is_idle(spool.counters()):
                planner.run(spool)
    finally:
        lock.release()


class _RequestWriter:
    """The lines of all requests, one after the other."""

    def __init__(
        self,
        spool: Spool,
        archive: str,
        work: WorkSettings,
        prompts: PromptRegistry,
        counts: Counter[str],
        *,
        plain: bool,
    ) -> None:
        self._spool, self._archive = spool, archive
        self._work, self._prompts = work, prompts
        self._counts = counts
        self._plain = plain

    def lines(self, recipe: Recipe) -> Iterator[bytes]:
        for kind, wanted in recipe.kinds.items():
            for task in tasks.pages_of_open_tasks(self._spool, self._archive, kind, wanted):
                self._counts[kind] += 1
                sampling = {
                    "temperature": self._work.temperature,
                    "top_p": self._work.top_p,
                    "seed": first_seed(self._work, task),
                }
                messages = self._prompts.messages(task)
                yield self._line(task.id, messages, self._work.max_tokens, sampling)
        if self._work.verify:
            yield from self._read_back_lines()

    def _read_back_lines(self) -> Iterator[bytes]:
        """Each accepted pair's question once more, to be answered from its text alone."""
        last = 0
        while rows := self._spool.db.execute(_UNREAD, (last, *sorted(KINDS))).fetchall():
            last = rows[-1]["rowid"]
            ids = tuple({row["task_id"] for row in rows})
            where = f"t.id IN ({','.join('?' * len(ids))})"
            about = {
                task.id: task for task in tasks.load_tasks(self._spool, self._archive, where, ids)
            }
            for row in rows:
                task = about.get(row["task_id"])
                if task is None or not self._prompts.fits(task):
                    continue
                pair = Pair.from_json(row["record"])
                self._counts["verify"] += 1
                messages = self._prompts.follow_up(task, pair.question)
                sampling = {"temperature": 0.0, "top_p": 1.0, "seed": 0}
                yield self._line(READ_BACK + pair.id, messages, LONGEST_ANSWER, sampling)

    def _line(
        self, name: str, messages: Sequence[Message], max_tokens: int, sampling: dict[str, Any]
    ) -> bytes:
        body: dict[str, Any] = {
            "model": self._work.served_as or self._prompts.recipe().model,
            "messages": messages,
            "max_tokens": max_tokens,
            **sampling,
        }
        if not self._plain:
            body[SWITCH] = THINKING_OFF
        return request_line(name, body)


def _write_files(folder: Path, lines: Iterator[bytes], per_file: int) -> Iterator[dict[str, Any]]:
    """Write files of at most so many lines, and no more bytes than a provider takes."""
    ahead = next(lines, None)
    count = 0

    def of_one_file() -> Iterator[bytes]:
        nonlocal ahead, count
        count = size = 0
        while ahead is not None and count < per_file:
            size += len(ahead)
            if count and size > MOST_BYTES:
                break
            count += 1
            line, ahead = ahead, next(lines, None)
            yield line

    number = 0
    while ahead is not None:
        name = f"requests-{number:05}.jsonl"
        about = write_hashed(folder / name, of_one_file())
        yield {"name": name, "requests": count, **about}
        number += 1
