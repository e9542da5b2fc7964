"""The Python API: a project whose methods are the stages, each over the room's own function."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from exchange.errors import OK, ProgramFailed, Stopped
from exchange.machine import python_module
from exchange.settings import ENV_PREFIX, PersonaSettings
from kkoracle.compose import ComposedProject, as_variable

if TYPE_CHECKING:
    from crawler.status.snapshots import CrawlSnapshot
    from trainer.dataset import DatasetBuild
    from trainer.evaluate.report import EvaluationReport
    from trainer.scorer.scoring import ScoreResult
    from trainer.scorer.training import TrainedScorer
    from trainer.training.train import TrainingResult

Progress = Callable[[str, int, int], None]  # what is done, how many are, of how many
CHILD_STOP_S = 60.0  # a worker may take its grace of 30 s, and its supervisor some more


def _no_progress(what: str, done: int, total: int) -> None:
    """Nobody watches."""


class OracleProject(ComposedProject):
    """A data folder and its settings; `kkoracle.Project` is this class.

    Settings come from `open`, the environment and the file, in that order; keyword arguments of
    a stage that are called as its settings come before them all. A stage that cannot go on raises
    a `kkoracle.UserError`; stopped by a signal, `kkoracle.Stopped`: the same call goes on.
    """

    __slots__ = ()

    def crawl(
        self,
        archive: str | None = None,
        *,
        fetch: bool = True,
        generate: bool = True,
        accept_opt_outs: bool = False,
        on_snapshot: Callable[[CrawlSnapshot], None] | None = None,
        **settings: Any,
    ) -> None:
        """Fetch what is new of an archive, make stories and chunks of it, and carry it through.

        Args:
            fetch: ask the newspaper; without it only what is stored is worked on.
            generate: also give out tasks and collect pairs, until none is open: `workers` (or
                `kkoracle work` on any machine) must run meanwhile.
            accept_opt_outs: confirm what the site says against training models.
            on_snapshot: called a few times a second with where things stand.
            settings: of [crawl].

        Raises:
            UsageError: no contact, no profile, or the site says something that nobody confirmed.
            UserError: another daemon runs, the site cannot be reached, the disk is full.
            Stopped: by a signal.
        """
        import asyncio

        from crawler import profiles
        from crawler.daemon import run_daemon
        from crawler.optout.confirm import confirm_opt_outs
        from crawler.settings import CrawlSettings

        name = self.archive(archive)
        table = self._table("crawl", CrawlSettings, settings)
        if fetch:
            confirm_opt_outs(
                self.archive_dir(name),
                name,
                profiles.load(table, name),
                table,
                accept=accept_opt_outs,
                say=lambda text: None,
            )
        asyncio.run(
            run_daemon(self, name, table, fetch=fetch, generate=generate, on_snapshot=on_snapshot)
        )

    def work(self, *, burst: bool = True, **settings: Any) -> None:
        """Generate pairs from the queue with a worker process, until it is empty.

        Args:
            burst: end when the queue is empty; without it only a signal ends it.
            settings: of [work], such as `width`.

        Raises:
            ProgramFailed: the worker cannot start, or crashes again and again.
            Stopped: by a signal.
        """
        with self._worker_process(burst, settings) as process:
            code = process.wait()
        if code == OK:
            return
        if code in (Stopped.ends_with, -signal.SIGINT, -signal.SIGTERM):
            raise Stopped("the worker was stopped; the same call goes on")
        raise ProgramFailed(f"the worker ended with code {code}; its messages stand above")

    @contextmanager
    def workers(self, **settings: Any) -> Iterator[None]:
        """Keep a worker process running beside a block, such as a crawl.

        Args:
            settings: of [work].
        """
        with self._worker_process(False, settings):
            yield

    def build_dataset(
        self,
        archive: str | None = None,
        *,
        origin: Path | str | None = None,
        new_cutoff: bool = False,
        as_of: str = "",
        progress: Progress = _no_progress,
        **settings: Any,
    ) -> DatasetBuild:
        """Split the accepted pairs, whole clusters of stories at a time, and write the splits.

        Args:
            origin: an export, a file or a folder of rows, in place of the archive's spool.
            new_cutoff: begin a version that teaches what was printed since.
            as_of: a day; what was printed up to it is taught, what came later asked about.
            settings: of [dataset].

        Raises:
            UserError: nothing crawled or accepted yet, too few stories, a full disk.
        """
        from trainer.dataset import DatasetRequest, build_dataset
        from trainer.dataset.settings import DatasetSettings

        persona = self.config.table("persona", PersonaSettings)
        rows = Path(origin) if origin else None
        request = DatasetRequest(persona.system, self.language(archive), rows, new_cutoff, as_of)
        table = self._table("dataset", DatasetSettings, settings)
        return build_dataset(self.archive_dir(archive), table, request, progress)

    def train(
        self,
        archive: str | None = None,
        *,
        name: str = "default",
        restart: bool = False,
        confirm: Callable[[str], bool] = lambda question: False,
        stop: Callable[[], bool] = lambda: False,
        **settings: Any,
    ) -> TrainingResult:
        """Tune the model on the dataset, or go on with the run of this name.

        Args:
            name: of the run; its folder is `runs/NAME` of the archive.
            confirm: asked before a model is downloaded, and before much disk is taken.
            stop: looked at before every step; true ends the run so that it can go on later.
            settings: of [train].

        Raises:
            UserError: no dataset, no model, a run begun with other settings, too little memory.
            Stopped: `stop` said so.
        """
        from trainer.training.settings import TrainSettings
        from trainer.training.train import train

        table = self._table("train", TrainSettings, settings)
        return train(self, archive, table, name=name, restart=restart, confirm=confirm, stop=stop)

    def evaluate(
        self,
        archive: str | None = None,
        *,
        name: str = "default",
        checkpoint: Literal["last", "best"] = "last",
        confirm: Callable[[str], bool] = lambda question: False,
        stop: Callable[[], bool] = lambda: False,
        progress: Progress = _no_progress,
        **settings: Any,
    ) -> EvaluationReport:
        """Ask base, search and tuned model the same questions, measure, and write the report.

        Args:
            name: of the run whose adapter is the tuned one.
            settings: of [evaluate].

        Raises:
            UserError: no dataset, no such run, another model than the run's.
            Stopped: `stop` said so; no answer is given twice.
        """
        from trainer.evaluate import report
        from trainer.evaluate.run import EvaluationHooks, EvaluationRequest, evaluate
        from trainer.evaluate.settings import EvaluateSettings

        table = self._table("evaluate", EvaluateSettings, settings)
        request = EvaluationRequest(archive, name, checkpoint, command="kkoracle.Project.evaluate")
        hooks = EvaluationHooks(report=progress, confirm=confirm, stop=stop)
        options = report.ReportOptions.of(self, archive, table)
        folder = evaluate(self, table, request, hooks)
        return report.write_report(folder, self.archive_dir(archive), options, progress)

    def train_scorer(
        self,
        files: Sequence[Path | str],
        *,
        name: str = "default",
        maximum: float = 0.0,
        restart: bool = False,
        **settings: Any,
    ) -> TrainedScorer:
        """Teach a scorer from answers that people scored, or go on with the one of this name.

        Args:
            files: JSON, JSONL, CSV, XLSX, Parquet or folders, with question, guide, answer, score.
            maximum: highest score of rows that name none; 0: the largest one.
            settings: of [score].

        Raises:
            UserError: no usable row, or the model cannot be taught with them.
        """
        from trainer.scorer.fields import ReadOptions
        from trainer.scorer.files import read_items
        from trainer.scorer.settings import ScoreSettings
        from trainer.scorer.split import split_items
        from trainer.scorer.training import train_scorer

        table = self._table("score", ScoreSettings, settings)
        paths = [Path(file) for file in files]
        read = read_items(paths, ReadOptions(maximum))
        return train_scorer(
            self,
            split_items(read.items, table, valid=read.valid, test=read.test),
            table,
            name=name,
            source=", ".join(path.name for path in paths),
            restart=restart,
        )

    def score(
        self, answers: Sequence[Mapping[str, Any]], *, name: str = "default"
    ) -> list[ScoreResult]:
        """Score answers with a scorer that was taught.

        Args:
            answers: each with question, guide and answer, and the maximum if it is another than
                the scorer was taught with.
            name: of the scorer.

        Raises:
            UserError: no such scorer, or an answer that is none.
        """
        from trainer.scorer.loaded import open_scorer

        loaded = open_scorer(self, name)
        return loaded.score(loaded.items(answers))

    @contextmanager
    def _worker_process(
        self, burst: bool, settings: Mapping[str, Any]
    ) -> Iterator[subprocess.Popen[bytes]]:
        """`kkoracle work` as a child in a session of its own; it ends with the block."""
        from workers.settings import WorkSettings

        self._table("work", WorkSettings, settings)  # a wrong one is told here
        where = ["--data", str(self.data)]
        if self.config.path:
            where = ["--config", str(self.config.path.resolve()), *where]
        given = {f"{ENV_PREFIX}WORK_{key.upper()}": as_variable(v) for key, v in settings.items()}
        process = subprocess.Popen(
            python_module("kkoracle", *where, "work", *(["--burst"] if burst else [])),
            env={**self.config.environment, **given},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(CHILD_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
