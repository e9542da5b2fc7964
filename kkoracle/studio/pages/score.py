"""Score: an answer, or a file of them, goes in; points come out, with how sure they are.

What is scored is scored in the background, and its page lives as long as the studio does.
"""

from __future__ import annotations

import csv
import re
import shutil
import threading
from collections.abc import Callable
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.routing import Route

from exchange.errors import NotFound, UsageError, UserError
from exchange.html.plots import share_bars
from exchange.project import Project, runs_with
from kkoracle.studio import studio as studios
from kkoracle.studio.studio import Studio, form_action
from kkoracle.studio.systems import refuse_download
from kkoracle.studio.threads import RecentThings
from trainer.console import StageProgress
from trainer.scorer import batch
from trainer.scorer.console import read_lines
from trainer.scorer.files import read_items
from trainer.scorer.folder import FILE, FOLDER
from trainer.scorer.loaded import LoadedScorer, open_scorer

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

LONGEST = 50_000  # characters of each part of one answer
SHOWN = 200  # rows of a table on the page; the file holds all
KINDS = (".json", ".jsonl", ".csv", ".tsv", ".xlsx", ".ods")
PARTS = ("question", "guide", "answer", "maximum")
NO_SCORER = "no scorer yet: `kkoracle score train` makes one"


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """A file of answers and what came of it."""

    said: list[str]  # about the rows that were read, and the scores
    headings: list[str]
    rows: list[list[str]]  # the first ones
    table: Path  # all of them


@dataclass(slots=True)
class ScoreJob:
    """One answer or one file that is scored, and what came of it."""

    scorer: str
    asked: dict[str, str] = field(default_factory=dict)  # of one answer
    file: str = ""  # what it was called where it came from
    busy: bool = True
    error: str = ""
    done: int = 0  # answers of the file
    total: int = 0
    one: dict[str, Any] = field(default_factory=dict)  # the score, with what stands beside it
    scored: ScoredFile | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    folder: TemporaryDirectory[str] = field(default_factory=TemporaryDirectory)

    def progress(self, what: str, done: int, total: int) -> None:
        """Hears how far it is."""
        self.done, self.total = done, total


Jobs = RecentThings[ScoreJob]
Work = Callable[[LoadedScorer], None]


def routes(studio: Studio) -> list[Route]:
    """What the page answers; without an archive it is the first one."""
    jobs: Jobs = RecentThings("score")
    act = form_action(partial(begin_scoring, studio, jobs))
    stop = form_action(partial(cancel_scoring, studio, jobs))
    first = [] if studio.archive else [Route("/", partial(lead_here, studio), name="start")]
    return [
        *first,
        Route("/score", partial(show_score, studio, jobs), name="score", methods=["GET"]),
        Route("/score", act, methods=["POST"], name="put-score"),
        Route("/score/{job}/cancel", stop, methods=["POST"], name="cancel-score"),
        Route("/score/{job}/table", partial(send_table, studio, jobs), name="score-table"),
    ]


def lead_here(studio: Studio, request: Request) -> Response:
    """Without an archive there is nothing to look over."""
    return studio.redirect(request, "score")


def show_score(studio: Studio, jobs: Jobs, request: Request) -> Response:
    """The form, and what came of what was sent last."""
    name = request.query_params.get("job", "")
    # As it is at one moment: it may be scored while the page is made.
    job = copy(jobs.find(name)) if name else None
    one = job.one if job else {}
    levels = {
        f"{one['maximum'] * level / one['top']:g}": share
        for level, share in enumerate(one.get("probabilities", ()))
    }
    return studio.page(
        request,
        "score.html.j2",
        scorers=scorer_names(studio.project),
        no_scorer=NO_SCORER,
        job=job,
        name=name,
        parts={part: job.asked.get(part, "") if job else "" for part in PARTS},
        levels=share_bars("How probable each score is", levels) if levels else "",
        longest=LONGEST,
        kinds=",".join(KINDS),
        shown=SHOWN,
        loaded=studio.models.loaded.startswith("score "),
    )


def begin_scoring(studio: Studio, jobs: Jobs, request: Request, form: FormData) -> Response:
    """Score what was sent: a file if there is one, else the answer."""
    names = scorer_names(studio.project)
    if not names:
        raise NotFound(NO_SCORER)
    scorer = studios.field(form, "scorer", 80) or names[0]
    if scorer not in names:
        raise NotFound(f"no scorer {scorer!r}: there is {', '.join(names)}")
    job, file = ScoreJob(scorer), form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        work: Callable[[LoadedScorer], None] = partial(
            _score_file, job, _kept(job, file), studio.ending
        )
    else:
        job.asked = {part: studios.field(form, part, LONGEST) for part in PARTS}
        work = partial(_score_one, job)
    threading.Thread(target=_score, args=(studio, job, work), daemon=True).start()
    return studio.redirect(request, "score", job=jobs.add(job))


def cancel_scoring(studio: Studio, jobs: Jobs, request: Request, form: FormData) -> Response:
    """Stop after the answers that are being scored; the table keeps what it has."""
    name = request.path_params["job"]
    jobs.find(name).stop.set()
    return studio.redirect(request, "score", job=name)


def send_table(studio: Studio, jobs: Jobs, request: Request) -> Response:
    """The whole table, as a file."""
    from starlette.responses import FileResponse

    scored = jobs.find(request.path_params["job"]).scored
    if scored is None:
        raise NotFound("there is no table yet")
    name = quote(scored.table.name)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return FileResponse(scored.table, media_type="text/csv", headers=headers)


def scorer_names(project: Project) -> list[str]:
    """Names of those that can score, the newest first."""
    return [folder.name for folder in runs_with(project.data / FOLDER, FILE)]


def score_one(
    loaded: LoadedScorer, question: str, guide: str, answer: str, maximum: float | None
) -> dict[str, Any]:
    """One score with what stands beside it.

    Args:
        maximum: None for that of the question as it was taught, else the largest.

    Raises:
        BadRecord: it is no item that can be scored; the reason is named.
    """
    row = {"question": question, "guide": guide, "answer": answer}
    return loaded.explained(loaded.items([row | ({"maximum": maximum} if maximum else {})]))[0]


def score_file(
    loaded: LoadedScorer,
    file: Path,
    report: StageProgress = lambda what, done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> ScoredFile:
    """Score a file of answers into a table beside it.

    Args:
        stop: looked at now and then; the table then holds what was scored until then.

    Raises:
        UserError: it is no file that can be read, or nothing in it can be scored.
    """
    options = loaded.options()
    found = read_items([file], options, scored=False)
    items = [loaded.fitted(item) for item in found.all]
    out = file.with_name(f"{file.stem}-scored.csv")
    out.unlink(missing_ok=True)
    done = batch.score_file(loaded, items, found.records, out, report=report, stop=stop)
    if not done.scored:
        raise UsageError("stopped before the first answer was scored")
    with out.open(encoding="utf-8-sig", newline="") as table:
        headings, *rows = islice(csv.reader(table), SHOWN + 1)
    left = f", {done.answers - done.scored:,} left when it was stopped"
    said = f"{done.scored:,} answers scored, {done.abstained:,} of them unsure: ask a person"
    said += left if done.scored < done.answers else ""
    return ScoredFile([said, *read_lines(found, options, False)], headings, rows, out)


def _score(studio: Studio, job: ScoreJob, work: Work) -> None:
    """Do the work with its scorer loaded, in a thread of its own."""
    try:
        studio.models.use(
            f"score {job.scorer}",
            lambda: nullcontext(open_scorer(studio.project, job.scorer, refuse_download)),
            work,
        )
    except UserError as error:
        job.error = str(error)
    except RuntimeError:  # the studio ends
        job.error = "the studio was ended"
    finally:
        job.busy = False


def _score_one(job: ScoreJob, loaded: LoadedScorer) -> None:
    asked = job.asked
    try:
        maximum = float(asked["maximum"]) if asked["maximum"] else None
    except ValueError:
        raise UsageError(f"{asked['maximum']!r} is no number of points") from None
    job.one = score_one(loaded, asked["question"], asked["guide"], asked["answer"], maximum)


def _score_file(job: ScoreJob, file: Path, ending: threading.Event, loaded: LoadedScorer) -> None:
    def stop() -> bool:
        return job.stop.is_set() or ending.is_set()

    job.scored = score_file(loaded, file, job.progress, stop)


def _kept(job: ScoreJob, file: UploadFile) -> Path:
    """The file that was sent, in a folder of its own."""
    called = Path(file.filename or "").name
    stem, kind = Path(called).stem, Path(called).suffix.lower()
    if kind not in KINDS:
        raise UsageError(f"answers come as {', '.join(KINDS)}, not as {kind or 'such a file'}")
    job.file = called
    path = Path(job.folder.name) / (re.sub(r"[^\w-]", "_", stem)[:60] + kind)
    with path.open("wb") as kept:
        shutil.copyfileobj(file.file, kept)
    return path
