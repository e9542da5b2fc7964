"""Overview: the pipeline with its live numbers, what needs attention, and the commands.

The commands are those of a terminal, started as processes of their own: closing the browser, or
ending the studio, stops none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Route

from exchange.display import format_range
from exchange.errors import NotFound, UserError
from exchange.lock import live_lock
from exchange.project import DEFAULT_RUN, runs_with
from exchange.store.joined_lists import paper_counts
from kkoracle.status import Status, read_status
from kkoracle.status.console import status_lines
from kkoracle.status.records import Problem, StageProgress
from kkoracle.studio import charts
from kkoracle.studio.commands import StartedCommand
from kkoracle.studio.studio import Studio, field, form_action

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

CRAWL, WORK, TRAIN, EVALUATE, BUILD = "crawl", "work", "train", "evaluate", "dataset-build"
LIVE = "live"
ABOUT = {
    CRAWL: "reads the newspaper, feeds the queue and collects what workers have made",
    WORK: "generates questions and answers from the queue",
    BUILD: "joins accepted pairs and your labels into a new dataset version",
    TRAIN: "tunes the model on the newest dataset; goes on where it stopped",
    EVALUATE: "asks base and tuned model the same questions and writes the report",
    LIVE: "all of it, every day: follows the newspaper and teaches the model each morning",
}
LABEL = {BUILD: "build the dataset"}
MODEL_COMMANDS = (WORK, TRAIN, EVALUATE)  # may want to fetch a model first
RUN_COMMANDS = (TRAIN, EVALUATE)
OF_DATASET = (BUILD, TRAIN, EVALUATE)  # all that is done for a folder of several newspapers
# What a problem asks for, where one of the commands is its cure.
CURES = {
    "stopped": CRAWL,
    "live-stopped": LIVE,
    "daemon-silent": CRAWL,
    "no-worker": WORK,
    "paused": "resume",
}


def routes(studio: Studio) -> list[Route]:
    """What the page answers."""
    return [
        Route("/", partial(show_overview, studio), name="overview"),
        Route(
            "/commands/{name}/{what}",
            form_action(partial(change_command, studio)),
            methods=["POST"],
            name="command",
        ),
    ]


@dataclass(frozen=True, slots=True)
class PipelineStep:
    """One box of the picture."""

    page: str  # where a click leads
    title: str
    number: str
    under: str  # what the number counts
    more: str = ""  # pace and time left
    done: float | None = None  # share of 1
    live: bool = False  # something works on it just now


@dataclass(frozen=True, slots=True)
class CommandCard:
    """One command as the page shows it."""

    name: str
    label: str
    about: str
    running: bool
    ours: StartedCommand | None  # None: never started here
    elsewhere: str = ""  # who runs it, when it was not started here
    stoppable: bool = False
    paused: bool | None = None  # None: it cannot be paused
    log: str = ""
    runs: tuple[str, ...] = ()


def show_overview(studio: Studio, request: Request) -> Response:
    """The page, or its live part."""
    found, nothing = None, ""
    try:
        if not studio.papers:
            found = read_status(studio.project, studio.archive)
    except NotFound as error:
        nothing = str(error)
    problems = found.problems if found else ()
    return studio.page(
        request,
        "overview.html.j2",
        found=found,
        nothing=nothing,
        steps=list(_pipeline(studio, found)) if found else [],
        problems=[(problem, _cure(problem)) for problem in problems],
        cards=list(_cards(studio, found)),
        facts=list(status_lines(found)) if found else [],
        plots=charts.progress_charts(studio.directory, found) if found else [],
        next_step=("", "") if studio.papers else _next_step(studio, found),
        papers=paper_counts(studio.directory) if studio.papers else [],
    )


def change_command(studio: Studio, request: Request, form: FormData) -> Response:
    """Start, stop, pause or resume a command."""
    name, what = request.path_params["name"], request.path_params["what"]
    if name not in ABOUT:
        raise NotFound(f"no command {name!r} can be started here")
    if what == "start":
        run = field(form, "run", 80) or DEFAULT_RUN
        words = command_words(name, studio.archive, run, yes=bool(field(form, "yes")))
        studio.start_command(name, words, alone=name == TRAIN)
        said = f"{name} was started"
    elif what == "stop":
        said = _stop(studio, name)
    elif what in ("pause", "resume") and name == WORK:
        from workers.cli import set_paused

        said = set_paused(studio.project, what == "pause")
    else:
        raise NotFound(f"{name} cannot {what}")
    return studio.redirect(request, "overview", said)


def command_words(name: str, archive: str, run: str, yes: bool) -> list[str]:
    """What is typed for a command in a terminal, after `kkoracle`.

    Args:
        run: of a command that trains or evaluates one.
        yes: it may fetch a model, if it is one that wants one.
    """
    words = {
        CRAWL: ["crawl", archive],
        WORK: ["work"],
        BUILD: ["dataset", "build", archive],
        TRAIN: ["train", archive, f"--name={run}"],
        EVALUATE: ["evaluate", archive, f"--name={run}"],
        LIVE: ["live", archive],
    }[name]
    return [*words, "--yes"] if yes and name in MODEL_COMMANDS else words


def _stop(studio: Studio, name: str) -> str:
    ours = studio.commands.state(name)
    if ours and ours.running:
        studio.commands.stop(name)
    elif name == CRAWL and (pid := read_status(studio.project, studio.archive).crawl.pid):
        import os
        import signal

        os.kill(pid, signal.SIGTERM)
    else:
        raise NotFound(f"{name} was not started here: stop it where it runs (Ctrl-C)")
    return f"{name} was asked to stop: it finishes what is under way, and nothing is lost"


def _cards(studio: Studio, found: Status | None) -> Iterator[CommandCard]:
    elsewhere = {}
    live = live_lock(studio.directory)
    living = not live.is_free(shared=True)
    if living:
        elsewhere[LIVE] = f"runs in a terminal or as a service (pid {live.holder() or '?'})"
        elsewhere |= dict.fromkeys((CRAWL, WORK), "kept going by live: stop that one")
    elif found and found.daemon:
        elsewhere[CRAWL] = f"runs in a terminal or as a service (pid {found.crawl.pid or '?'})"
    if found and not living and (count := len(found.queue.workers)):
        elsewhere[WORK] = f"{count} worker{'' if count == 1 else 's'} on this queue"
    runs = tuple(folder.name for folder in runs_with(studio.directory, "run.json"))
    for name in OF_DATASET if studio.papers else ABOUT:
        ours = studio.commands.state(name)
        mine = bool(ours and ours.running)
        yield CommandCard(
            name=name,
            label=LABEL.get(name, name),
            about=ABOUT[name],
            running=mine or name in elsewhere,
            ours=ours,
            elsewhere="" if mine else elsewhere.get(name, ""),
            stoppable=mine or (name == CRAWL and not living and bool(found and found.crawl.pid)),
            paused=found.queue.paused if name == WORK and found and found.queue.up else None,
            log=studio.commands.log(name),
            runs=(runs or (DEFAULT_RUN,)) if name in RUN_COMMANDS else (),
        )


def _cure(problem: Problem) -> tuple[str, str, str] | None:
    """Command, action and label of the button that cures it."""
    name = CURES.get(problem.code)
    if name == "resume":
        return WORK, "resume", "Resume the workers"
    return (name, "start", f"Start {name}") if name else None


def _pipeline(studio: Studio, found: Status) -> Iterator[PipelineStep]:
    counters = found.counters
    working = any(worker.inflight for worker in found.queue.workers)
    pages, text, tasks = (found.stage(name) for name in ("pages", "text", "tasks"))
    yield PipelineStep(
        "overview",
        "Newspaper",
        f"{pages.done:,}",
        f"of {pages.total:,} pages",
        _pace(pages),
        _share(pages),
        found.crawl.fetching,
    )
    yield PipelineStep(
        "stories",
        "Stories",
        f"{counters.get('stories', 0):,}",
        f"in {counters.get('chunks.live', 0):,} chunks",
        _pace(text),
        _share(text),
    )
    yield PipelineStep(
        "overview",
        "Tasks",
        f"{tasks.done:,}",
        f"of {tasks.total:,} tasks",
        _pace(tasks),
        _share(tasks),
        working,
    )
    kept = "" if found.pairs.kept is None else f"{found.pairs.kept:.0%} of all kept"
    yield PipelineStep(
        "pairs",
        "Pairs",
        f"{found.pairs.accepted:,}",
        f"kept, {found.pairs.rejected:,} rejected",
        kept,
        live=working,
    )
    training = found.training
    if training:
        share = training.step / training.steps if training.steps else None
        left = f"{format_range(training.left[::2])} left" if training.left else ""
        yield PipelineStep(
            "runs",
            "Training",
            f"{training.loss:.3f}",
            f"loss of {training.run}, step {training.step:,}",
            "finished" if training.finished else left,
            1.0 if training.finished else share,
            not training.finished and training.silent_s < 60,
        )
    else:
        yield PipelineStep("runs", "Training", "-", "no run yet")
    reports = runs_with(studio.directory, charts.REPORT)
    newest = f"newest of run {reports[0].name}" if reports else "no report yet"
    yield PipelineStep("reports", "Reports", f"{len(reports)}", newest)


def _pace(stage: StageProgress) -> str:
    if not stage.open:
        return "all done" if stage.total else ""
    pace = f"{stage.hour:,.0f} an hour"
    return f"{pace}, {format_range(stage.left[::2])} left" if stage.left else pace


def _share(stage: StageProgress) -> float | None:
    return stage.done / stage.total if stage.total else None


def _next_step(studio: Studio, found: Status | None) -> tuple[str, str]:
    """What somebody does next who sees this for the first time, and the command for it."""
    if found is None:
        return "Begin by reading the newspaper.", CRAWL
    if found.work_left or not found.pairs.accepted:
        return "", ""
    try:
        built = (studio.directory / "dataset" / "manifest.json").exists()
    except UserError:
        built = False
    if not built:
        return "Every task is done. Build a dataset from the accepted pairs.", BUILD
    if found.training is None:
        return "The dataset is built. Tune the model on it.", TRAIN
    if found.training.finished and not runs_with(studio.directory, charts.REPORT):
        return "The run is finished. Ask what tuning has gained.", EVALUATE
    return "", ""
