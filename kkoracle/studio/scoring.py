"""One answer scored by a trained scorer: what Score shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from exchange.errors import UserError
from exchange.house import House
from exchange.settings import Persona
from kkoracle.studio.asking import not_here
from trainer.dataset.lines import BadLine
from trainer.runs import RUNS
from trainer.scorer import training
from trainer.scorer.apply import widest
from trainer.scorer.files import parse
from trainer.scorer.folder import FILE, FOLDER, About
from trainer.scorer.items import Item, Scale
from trainer.scorer.scoring import Scored, Scorer


def scorers(house: House) -> list[str]:
    """Names of those that can score, the newest first."""
    found = sorted(
        (house.data / FOLDER / RUNS).glob(f"*/{FILE}"),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    return [path.parent.name for path in found]


class Desk:
    """A loaded scorer with what is known of it; belongs to the thread that loaded it."""

    def __init__(self, scorer: Scorer, about: About, language: str) -> None:
        self._scorer, self.about, self._language = scorer, about, language

    def score(self, question: str, guide: str, answer: str, maximum: float | None) -> Scored:
        """One score.

        Args:
            maximum: None for the largest that the scorer was taught.

        Raises:
            UserError: it is no item that can be scored; the reason code is named.
        """
        try:
            usual = widest(self.about).maximum
            item = parse(
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
            raise UserError(f"this cannot be scored: {str(bad).replace('_', ' ')}") from None
        return self._scorer.score([self._scaled(item)])[0]

    def _scaled(self, item: Item) -> Item:
        top = self.about.scales.get(f"{item.scale.maximum:g}")
        return replace(item, scale=Scale(item.scale.maximum, top)) if top else item


@contextmanager
def open_desk(house: House, name: str) -> Iterator[Desk]:
    """Load a scorer.

    Raises:
        UserError: no such scorer, or its model is not on this machine.
    """
    scorer, about = training.load(house, name, not_here)
    yield Desk(scorer, about, house.config.table("persona", Persona).language)
