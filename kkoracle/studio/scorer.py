"""One answer scored by a trained scorer: what Score shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from exchange.errors import BadRecord
from exchange.project import Project, runs_with
from exchange.settings import PersonaSettings
from kkoracle.studio.systems import refuse_download
from trainer.dataset.readers import BadLine
from trainer.scorer import training
from trainer.scorer.apply import widest_scale
from trainer.scorer.files import parse_item
from trainer.scorer.folder import FILE, FOLDER, ScorerInfo
from trainer.scorer.items import ScoreItem, ScoreScale
from trainer.scorer.scoring import Scorer, ScoreResult


def scorer_names(project: Project) -> list[str]:
    """Names of those that can score, the newest first."""
    return [folder.name for folder in runs_with(project.data / FOLDER, FILE)]


class LoadedScorer:
    """A loaded scorer with what is known of it; belongs to the thread that loaded it."""

    def __init__(self, scorer: Scorer, about: ScorerInfo, language: str) -> None:
        self._scorer, self.about, self._language = scorer, about, language

    def score(self, question: str, guide: str, answer: str, maximum: float | None) -> ScoreResult:
        """One score.

        Args:
            maximum: None for the largest that the scorer was taught.

        Raises:
            UserError: it is no item that can be scored; the reason code is named.
        """
        try:
            usual = widest_scale(self.about).maximum
            item = parse_item(
                {
                    "question": question,
                    "guide": guide,
                    "answer": answer,
                    "maximum": maximum or usual,
                },
                usual,
                self._language,
            )
        except BadLine as bad:
            raise BadRecord(f"this cannot be scored: {str(bad).replace('_', ' ')}") from None
        return self._scorer.score([self._scaled(item)])[0]

    def _scaled(self, item: ScoreItem) -> ScoreItem:
        top = self.about.scales.get(f"{item.scale.maximum:g}")
        return replace(item, scale=ScoreScale(item.scale.maximum, top)) if top else item


@contextmanager
def open_scorer(project: Project, name: str) -> Iterator[LoadedScorer]:
    """Load a scorer.

    Raises:
        UserError: no such scorer, or its model is not on this machine.
    """
    scorer, about = training.load_scorer(project, name, refuse_download)
    yield LoadedScorer(scorer, about, project.config.table("persona", PersonaSettings).language)
