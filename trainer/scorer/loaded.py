"""A scorer with what it was taught: rows go in as people write them, scores come out explained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from exchange.errors import BadRecord
from exchange.project import DEFAULT_RUN, Project
from trainer.dataset.readers import BadLine
from trainer.scorer.explain import TaughtAnswers
from trainer.scorer.fields import ReadOptions, parse_item
from trainer.scorer.folder import DATA, ScorerInfo, scorer_run
from trainer.scorer.items import ScoreItem
from trainer.scorer.scoring import Scorer, ScoreResult
from trainer.scorer.split import ScorerSplit
from trainer.scorer.training import load_scorer


@dataclass(slots=True)
class LoadedScorer:
    """Belongs to the thread that loaded it, as its model does."""

    scorer: Scorer
    about: ScorerInfo
    taught: TaughtAnswers

    def options(self, given: ReadOptions | None = None) -> ReadOptions:
        """How rows are read: in the language that was taught, if nobody says another."""
        given = given or ReadOptions()
        return replace(given, language=given.language or self.about.language)

    def item(self, record: Mapping[str, Any], given: ReadOptions | None = None) -> ScoreItem:
        """A row on a scale that was taught; guide and maximum are its question's if it has none.

        Raises:
            BadLine: it is no row; with the reason code.
        """
        return self.fitted(parse_item(record, self.options(given), scored=False))

    def items(self, records: Iterable[Mapping[str, Any]]) -> list[ScoreItem]:
        """The same of rows that a person or a program gave us, of which none may be bad.

        Raises:
            BadRecord: one is no row.
        """
        try:
            return [self.item(record) for record in records]
        except BadLine as bad:
            raise BadRecord(f"this cannot be scored: {str(bad).replace('_', ' ')}") from None

    def fitted(self, item: ScoreItem) -> ScoreItem:
        """The same of an item."""
        return self.about.on_scale(self.taught.completed(item, self.about.usual_scale))

    def explained(self, items: Sequence[ScoreItem]) -> list[dict[str, Any]]:
        """Scores as JSON has them, with what a reader can hold each against."""
        return [
            {**asdict(found), **asdict(self.taught.context(item))}
            for item, found in zip(items, self.score(items), strict=True)
        ]

    def score(self, items: Sequence[ScoreItem]) -> list[ScoreResult]:
        """A score for every item, in order."""
        return self.scorer.score(items)


def open_scorer(
    project: Project,
    name: str = DEFAULT_RUN,
    confirm: Callable[[str], bool] = lambda text: False,
    base: str = "",
) -> LoadedScorer:
    """Load a finished scorer.

    Args:
        name: or the path of its folder.
        base: where its base model is now; "" for where it was.

    Raises:
        UserError: no such scorer, or its model is not here or another.
    """
    scorer, about = load_scorer(project, name, confirm, base)
    parts = ScorerSplit.read(scorer_run(project, name).folder / DATA)
    return LoadedScorer(scorer, about, TaughtAnswers(parts.taught, parts.tested))
