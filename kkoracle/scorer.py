"""`from kkoracle import Scorer`: teach from a file of scored answers, then score, in five lines."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from exchange.errors import Busy
from exchange.project import DEFAULT_RUN
from kkoracle.api import OracleProject

if TYPE_CHECKING:
    from trainer.scorer.batch import BatchResult
    from trainer.scorer.folder import ScorerInfo
    from trainer.scorer.loaded import LoadedScorer
    from trainer.scorer.scoring import ScoreResult


class AnswerScorer:
    """A scorer that was taught, loaded; `kkoracle.Scorer` is this class.

    One object belongs to one thread. Whatever cannot go on raises a `kkoracle.UserError`.
    """

    def __init__(self, project: OracleProject, name: str, loaded: LoadedScorer) -> None:
        """Made by `train` and `load`."""
        self._project, self._name, self._loaded = project, name, loaded

    @classmethod
    def train(
        cls,
        *files: Path | str,
        name: str = DEFAULT_RUN,
        data: Path | str | None = None,
        maximum: float = 0.0,
        restart: bool = False,
        **settings: Any,
    ) -> Self:
        """Teach one from answers that people scored; the same call again loads what is finished.

        Args:
            files: JSON, JSONL, CSV, XLSX, Parquet or folders, with question, guide, answer, score.
            data: the data folder; default: that of `kkoracle.toml`, else `kkoracle-data` here.
            maximum: highest score of rows that name none; 0: the largest one.
            settings: of [score].

        Raises:
            UserError: no usable row, or nothing can be taught with them.
        """
        project = OracleProject.open(data=data)
        project.train_scorer(files, name=name, maximum=maximum, restart=restart, **settings)
        return cls.load(name, data=data)

    @classmethod
    def load(
        cls,
        name: Path | str = DEFAULT_RUN,
        *,
        data: Path | str | None = None,
        base: str = "",
        confirm: Callable[[str], bool] = lambda question: False,
    ) -> Self:
        """Load one by name, or by the path of its folder, wherever that was moved to.

        Args:
            base: where its base model is now, for one that has a base and another machine.
            confirm: asked before a model is downloaded.

        Raises:
            UserError: there is none, or its base is not here.
        """
        from trainer.scorer.loaded import open_scorer

        project = OracleProject.open(data=data)
        said = str(Path(name).resolve()) if isinstance(name, Path) else name
        return cls(project, said, open_scorer(project, said, confirm, base))

    @property
    def about(self) -> ScorerInfo:
        """What it was taught, with its figures."""
        return self._loaded.about

    def score(
        self, question: str, answer: str, guide: str = "", maximum: float | None = None
    ) -> ScoreResult:
        """Score one answer.

        Args:
            guide: "" for the one under which the question was taught.
            maximum: None for that of the question as it was taught, else the largest.

        Raises:
            UserError: nothing that can be scored.
        """
        row = {"question": question, "answer": answer, "guide": guide}
        return self.score_all([row | ({"maximum": maximum} if maximum else {})])[0]

    def score_all(self, answers: Sequence[Mapping[str, Any]]) -> list[ScoreResult]:
        """Score many, each with question and answer, and guide and maximum if you like."""
        return self._loaded.score(self._loaded.items(answers))

    def score_file(self, file: Path | str, out: Path | str) -> BatchResult:
        """Score a file of answers into a table (.csv or .jsonl); the same call goes on."""
        from trainer.scorer.batch import score_file
        from trainer.scorer.files import read_items

        found = read_items([Path(file)], self._loaded.options(), scored=False)
        items = [self._loaded.fitted(item) for item in found.all]
        return score_file(self._loaded, items, found.records, Path(out))

    def save(self, folder: Path | str) -> Path:
        """Copy it into a folder that can be taken to another machine.

        Raises:
            Busy: something stands there already.
        """
        from trainer.scorer.folder import scorer_run

        target = Path(folder)
        if target.exists():
            raise Busy(f"{target} exists already: choose another folder")
        return Path(shutil.copytree(scorer_run(self._project, self._name).folder, target))
