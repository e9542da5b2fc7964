"""Runs: how each learns or has learned, several in one plot, stopped and gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Route

from exchange.display import format_moment
from exchange.errors import NotFound
from exchange.project import DEFAULT_RUN
from kkoracle.studio import charts
from kkoracle.studio.pages.overview import TRAIN, command_words
from kkoracle.studio.pages.reports import SHOWN
from kkoracle.studio.studio import Studio, field, form_action
from kkoracle.studio.training_runs import (
    RunMetrics,
    RunOverview,
    read_figures,
    read_run,
    read_runs,
    read_samples,
    read_unlearned,
    resume_words,
    run_facts,
    run_of,
)
from trainer.training.runs import TrainingRun
from trainer.training.settings import RECIPES, TrainSettings

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

PLOTTED = 6  # runs in one plot: as many colours as it has
UNLEARNED_SHOWN = 50
CHOICES = ("epochs", "rank", "lr")  # what a new run may be told here; the rest is in the settings


def routes(studio: Studio) -> list[Route]:
    """What the page answers."""
    metrics = RunMetrics(studio.directory)
    act = form_action(partial(change_run, studio))
    return [
        Route("/runs", partial(show_runs, studio, metrics), name="runs"),
        Route("/runs/new", form_action(partial(start_run, studio)), methods=["POST"], name="train"),
        Route("/runs/{name}", partial(show_run, studio, metrics), name="run"),
        Route("/runs/{name}/{what}", act, methods=["POST"], name="change-run"),
    ]


def show_runs(studio: Studio, metrics: RunMetrics, request: Request) -> Response:
    """All runs, and the losses of those that are ticked."""
    started = studio.commands.state(TRAIN)
    runs = list(read_runs(studio.directory, started))
    named = {one.name for one in runs}
    asked = [name for name in request.query_params.getlist("run") if name in named]
    chosen = asked[:PLOTTED] or [one.name for one in runs[:1]]
    return studio.page(
        request,
        "runs.html.j2",
        runs=runs,
        chosen=chosen,
        plot=charts.loss_chart({name: metrics.read(name) for name in chosen}) if chosen else "",
        here=studio.link(request, "runs", run=asked),
        started=started,
        log=studio.commands.log(TRAIN),
        recipes=[name for name in RECIPES if name != "preference"],  # it goes on from a run
        settings=studio.project.config.table("train", TrainSettings),
        choices=CHOICES,
        default=DEFAULT_RUN,
        most=PLOTTED,
        every=2 if _live(runs) or (started and started.running) else 10,
        moment=format_moment,
    )


def show_run(studio: Studio, metrics: RunMetrics, request: Request) -> Response:
    """One run: its curve, what it is made of, what it answers, and how it was measured."""
    name = request.path_params["name"]
    folder = TrainingRun(studio.directory, name).folder
    started = studio.commands.state(TRAIN)
    ours = run_of(started) == name
    if not folder.is_dir() and not ours:
        raise NotFound(f"no run {name!r} yet: `kkoracle train --name {name}` makes it")
    about = read_run(folder, started)
    found = metrics.read(name)
    report, unreadable = read_figures(folder)
    return studio.page(
        request,
        "run.html.j2",
        run=about,
        plots=[charts.loss_chart({name: found}), charts.known_chart(found) if found.known else ""],
        facts=list(run_facts(about)),
        settings=sorted(about.config.settings.items()) if about.config else [],
        samples=read_samples(folder),
        unlearned=read_unlearned(folder)[:UNLEARNED_SHOWN],
        report=report,
        unreadable=unreadable,
        running=ours and bool(started and started.running),
        started=started if ours else None,
        log=studio.commands.log(TRAIN) if ours else "",
        every=2 if about.state == "training" or (ours and started and started.running) else 10,
        shown=SHOWN,
    )


def start_run(studio: Studio, request: Request, form: FormData) -> Response:
    """Begin a run with what the form says otherwise than the settings do."""
    name = field(form, "run", 80) or DEFAULT_RUN
    TrainingRun(studio.directory, name)  # a name that is none is refused here
    words = [f"--{one}={value}" for one in ("recipe", *CHOICES) if (value := field(form, one, 20))]
    if field(form, "until_learned"):
        words.append("--until-learned")
    return _start(studio, request, name, words, form)


def change_run(studio: Studio, request: Request, form: FormData) -> Response:
    """Stop a run, or go on with it as it was begun."""
    name, what = request.path_params["name"], request.path_params["what"]
    run = TrainingRun(studio.directory, name)
    if what == "resume":
        return _start(studio, request, name, resume_words(studio.project, run.config()), form)
    if what != "stop":
        raise NotFound(f"a run cannot {what}")
    started = studio.commands.state(TRAIN)
    if not started or not started.running or run_of(started) != name:
        raise NotFound(f"run {name} was not started here: stop it where it runs (Ctrl-C)")
    studio.commands.stop(TRAIN)
    said = f"{name} was asked to stop: it ends after this step, and can go on from there"
    return studio.redirect(request, "run", said, name=name)


def _start(
    studio: Studio, request: Request, name: str, words: Sequence[str], form: FormData
) -> Response:
    begun = command_words(TRAIN, studio.archive, name, yes=bool(field(form, "yes")))
    studio.start_command(TRAIN, [*begun, *words], alone=True)
    return studio.redirect(request, "run", f"{name} was started", name=name)


def _live(runs: Sequence[RunOverview]) -> bool:
    return any(one.state == "training" for one in runs)
