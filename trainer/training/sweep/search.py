"""The search itself: rounds of tries over growing parts of the rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from exchange import lock
from exchange.errors import NotFound, Stopped, UsageError
from exchange.inference import models, runtime
from exchange.project import Project
from trainer.dataset import DatasetRow, Manifest, read_chunks, read_split
from trainer.dataset.build import FOLDER
from trainer.tokenization import encode_rows, longest_row
from trainer.training.callbacks import Callback, StepMetrics
from trainer.training.open_book import passage_template
from trainer.training.plan import ComputeMode
from trainer.training.preflight.measure import find_fitting_mode
from trainer.training.row_selection import select_rows
from trainer.training.run_config import RunConfig, make_run_config
from trainer.training.runs import TrainingRun
from trainer.training.settings import TrainSettings
from trainer.training.sweep import search_space, trials
from trainer.training.sweep.search_space import SweepCallback, SweepResult
from trainer.training.sweep.trials import Trial, TrialStore

if TYPE_CHECKING:
    from exchange.recipes.prompts import PromptTemplate
    from trainer.tokenization import TokenizedSample
    from trainer.training.activation_cache import ActivationCache
    from trainer.training.teacher import Teacher

BUDGET = 0.10  # of what training with every rate in full would cost
RATES = 6
NEVER = 2**31  # steps to the next validation: a try is looked at once, at its end
WORSE = 2.0  # a loss so many times the one it began with is going nowhere
SMOOTH = 0.8  # of the running mean of losses that is judged


def search_rate(
    project: Project,
    archive: str | None,
    settings: TrainSettings,
    *,
    low: float | None = None,
    high: float | None = None,
    count: int = RATES,
    share: float = BUDGET,
    restart: bool = False,
    callback: SweepCallback | None = None,
    language_model: models.ModelSettings | None = None,
    confirm: Callable[[str], bool] = lambda text: False,
    stop: Callable[[], bool] = lambda: False,
) -> SweepResult:
    """Find the learning rate for a run with these settings; the same call goes on after a stop.

    Evaluates MLX: a process that called this must not fork.

    Args:
        low, high: ends of the grid; default: around the configured rate.
        count: rates on it.
        share: of what training with all of them in full would cost.

    Raises:
        UserError: no dataset, too few rows, the GPU in use, stopped, every rate diverged.
    """
    if settings.recipe == "preference":
        raise UsageError("a sweep begins from the base, and recipe preference from a run: give sft")
    callback = callback or SweepCallback()
    ends = search_space.default_range(settings.lr)
    rates = search_space.geometric_grid(low or ends[0], high or ends[1], count)
    archive_dir = project.archive_dir(archive)
    manifest = Manifest.read(archive_dir / FOLDER)
    rows = select_rows(read_split(archive_dir / FOLDER, "train"), settings, callback)
    order = search_space.order_rows(rows, read_split(archive_dir / FOLDER, "valid"), settings.seed)
    plan = search_space.plan_rounds(
        len(rows), settings.batch * settings.accumulate, settings.epochs, count, share
    )
    if plan is None:
        raise UsageError(
            f"{len(rows)} rows are too few to search on a part of them: train with two or three "
            "rates (`kkoracle train --name A --lr ...`), it is as cheap; or give a larger --budget"
        )
    language_model = language_model or project.config.table("model", models.ModelSettings)
    folder = models.locate(language_model, project.models, confirm)
    with lock.hold_gpu(project.data):
        template = passage_template(project, archive, settings)
        config = make_run_config(language_model.name, folder, manifest.sha, settings, template)
        store = TrialStore(archive_dir, "default")
        about = {"of": config.sha, "rates": rates, "plan": asdict(plan)}
        done = store.begin(about, restart=restart)
        runner = _TrialRunner(
            archive_dir=archive_dir,
            settings=settings,
            config=config,
            template=template,
            order=order,
            plan=plan,
            store=store,
            callback=callback,
            confirm=confirm,
            stop=stop,
        )
        return runner.search(rates, done, folder)


class _TrialRunner:
    """What all tries share: model, rows in tokens, cache of the frozen layers."""

    def __init__(
        self,
        *,
        archive_dir: Path,
        settings: TrainSettings,
        config: RunConfig,
        template: PromptTemplate | None,
        order: search_space.RowOrder,
        plan: search_space.SweepPlan,
        store: TrialStore,
        callback: SweepCallback,
        confirm: Callable[[str], bool],
        stop: Callable[[], bool],
    ) -> None:
        self._archive_dir, self._settings, self._config = archive_dir, settings, config
        self._order, self._plan, self._store = order, plan, store
        self._template = template
        self._callback, self._confirm, self._stop = callback, confirm, stop
        self._judges = [search_space.judging_rows(order, part.rows) for part in plan.rounds]
        self._tokens: dict[str, TokenizedSample] = {}
        self._cache: ActivationCache | None = None
        self._teacher: Teacher | None = None
        self._mode: ComputeMode | None = None

    def search(self, rates: tuple[float, ...], done: list[Trial], folder: Path) -> SweepResult:
        """All rounds, but for the tries that are done already."""
        self._callback.on_sweep_begin(self._plan, rates, len(done))
        self._load(folder)
        bests: list[trials.RoundBest] = []
        wanted: list[float] = list(rates)
        ratio = search_space.grid_ratio(rates)
        for number, part in enumerate(self._plan.rounds):
            if number:
                known = sorted({*rates, *(one.rate for one in done)})
                wanted = trials.neighbouring_rates(known, bests[-1].tried, part.tries, ratio)
            for rate in wanted:
                if not any(one.round == number and one.rate == rate for one in done):
                    done.append(self._run_trial(number, rate, len(done)))
            best = trials.best_of([one for one in done if one.round == number])
            if best is None:
                raise NotFound(
                    f"every rate from {wanted[0]:g} to {wanted[-1]:g} diverged: search below, with "
                    "--from and --to"
                )
            bests.append(best)
        self._store.drop_runs()
        tried = [one.rate for one in done]
        judged = [self._fitting(chosen) for chosen, _ in self._judges]
        return SweepResult(
            trials.choose_rate(bests, self._plan.full_steps),
            tuple(done),
            tuple(tuple(row.cluster for row in rows) for rows in judged),
            tuple(bests),
            trials.drift(bests),
            self._plan,
            all(recall for _, recall in self._judges),
            bests[-1].tried in (min(tried), max(tried)),
        )

    def _run_trial(self, number: int, rate: float, before: int) -> Trial:
        from trainer.training.batches import TrainingData
        from trainer.training.loop import NonFiniteLoss, TrainingLoop
        from trainer.training.loss import row_losses

        part = self._plan.rounds[number]
        self._callback.on_trial_begin(before + 1, self._plan.tries, rate, part)
        clock, used = time.perf_counter(), time.process_time()
        settings = self._settings.model_copy(
            update={"lr": rate, "evaluate_every": NEVER, "patience": 0, "samples": 0}
        )
        if settings.recipe == "full" and before:  # its weights are not those of the base any more
            self._load(self._folder)
        train, judging = (
            [self._tokens[row.id] for row in self._fitting(rows)]
            for rows in (self._order.train[: part.rows], self._judges[number][0])
        )
        cache = self._open_cache([*train, *judging])
        guard = _DivergenceGuard(self._callback, part.steps, self._steps_before(number, before))
        run = TrainingRun(self._store.folder, f"{number}-{rate:g}")
        run.folder.mkdir(parents=True, exist_ok=True)
        loop = TrainingLoop(
            self._model,
            self._tokenizer,
            TrainingData(train, judging[:1], train[:1], [], 0, 0),
            settings,
            run,
            callback=guard,
            stop=lambda: guard.hopeless or self._stop(),
            cache=cache,
            teacher=self._teacher,
        )
        self._mode = self._mode or find_fitting_mode(loop, settings)
        loop.compute(parts=self._mode.parts, checkpoint=self._mode.checkpoint)
        losses: list[float] = []
        try:
            loop.fit(replace(self._config, settings=settings.model_dump()))
            if cache:
                cache.fill(judging)
            losses = row_losses(loop.loss, judging, self._mode.rows(settings.batch))
        except NonFiniteLoss:
            pass  # no finite loss: as far from good as can be
        except Stopped:
            if not guard.hopeless:
                raise
        tried = Trial(
            number,
            rate,
            part.rows,
            part.steps,
            not losses,
            tuple(losses),
            round(time.process_time() - used, 3),
            round(time.perf_counter() - clock, 3),
        )
        self._store.append(tried)
        self._callback.on_trial_end(tried)
        return tried

    def _steps_before(self, number: int, before: int) -> tuple[int, int]:
        """Steps of the tries before this one, and of all."""
        rounds = self._plan.rounds
        total = sum(part.steps * part.tries for part in rounds)
        past = sum(part.steps * part.tries for part in rounds[:number])
        within = before - sum(part.tries for part in rounds[:number])
        return past + within * rounds[number].steps, total

    def _load(self, folder: Path) -> None:
        """The model, in tokens all rows that any try may need, and their teacher."""
        from trainer.training.teacher_prompts import make_teacher

        self._folder = folder
        self._callback.log(f"loading {self._config.model}")
        self._model, tokenizer = runtime.load(folder)
        self._tokenizer = tokenizer
        longest = longest_row(self._model, self._settings.max_length)
        rows = [*self._order.train[: self._plan.rounds[-1].rows], *self._judges[-1][0]]
        samples, _ = encode_rows(tokenizer, rows, longest, self._callback.progress("encoding"))
        self._tokens = {sample.id: sample for sample in samples}
        if self._settings.recipe == "distil" and self._template:
            self._teacher = make_teacher(
                self._archive_dir,
                self._config.model_sha,
                self._model,
                tokenizer,
                self._settings,
                (self._order.train, samples),
                read_chunks(self._archive_dir / FOLDER),
                self._template,
                callback=self._callback,
                confirm=self._confirm,
            )

    def _fitting(self, rows: Sequence[DatasetRow]) -> list[DatasetRow]:
        """Without those that are too long."""
        return [row for row in rows if row.id in self._tokens]

    def _open_cache(self, samples: list[TokenizedSample]) -> ActivationCache | None:
        """The cache of the frozen layers, shared by all tries and by the run that follows."""
        from trainer.training import activation_cache

        if self._cache is None:
            self._cache = activation_cache.open_activation_cache(
                self._archive_dir,
                self._config.model_sha,
                self._model,
                self._settings,
                samples,
                confirm=self._confirm,
                log=self._callback.log,
            )
        return self._cache


class _DivergenceGuard(Callback):
    """Ends a try that diverges, and tells how far the search is."""

    def __init__(self, callback: SweepCallback, steps: int, before: tuple[int, int]) -> None:
        self._callback, self._before = callback, before
        self._first = self._mean = 0.0
        self.hopeless = False

    def on_step(self, step: StepMetrics) -> None:
        """See `Callback`."""
        self._first = self._first or step.loss
        self._mean = SMOOTH * (self._mean or step.loss) + (1 - SMOOTH) * step.loss
        self.hopeless = self._mean > WORSE * self._first
        past, total = self._before
        self._callback.on_sweep_progress((past + step.step) / total)
