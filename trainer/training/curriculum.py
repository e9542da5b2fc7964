"""Which rows each step shows: every one once an epoch, or what is not known yet more often.

With `until_learned` nothing is computed twice to see who knows what: a step that learns a row has
its answer's tokens judged already, and a row counts as known whose tokens were the model's first
choice (which is what answering greedily comes to). What is known rests for some epochs, and its
turns go to what is not; the steps of an epoch stay as many. The questions of `valid` have no part
in it. The plan of an epoch follows from what was known at its beginning, and all of that is part
of a checkpoint.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.tokenization import TokenizedSample
from trainer.training.batches import TrainingData, epoch_steps
from trainer.training.callbacks import KnownMetrics
from trainer.training.settings import TrainSettings

RIGHT = 0.95  # share of an answer's tokens that are first choices: all but one in twenty
REST = 3  # what is known is shown in every third epoch, so that it is not lost
COPIES = 3  # times that a row not known is shown in one epoch, at most
ROUNDS = 3  # epochs in a row that could not teach a row: it is named to the operator
_UNSEEN = -1.0

Shares = npt.NDArray[np.float32]


@dataclass(slots=True)
class Growth:
    """How far teaching has come at the ends of epochs; part of the position of a run."""

    known: int = 0  # facts, at the last end of an epoch
    most: int = 0  # that ever were
    share: float = 0.0  # of tokens that are first choices, a mean over the facts: the highest
    waited: int = 0  # epochs since either grew

    def add(self, known: int, share: float, facts: int) -> None:
        """One more epoch. While few facts are known at all, their tokens tell the growth."""
        grew = known > self.most or (2 * known < facts and share > self.share)
        self.waited = 0 if grew else self.waited + 1
        self.known, self.most = known, max(self.most, known)
        self.share = max(self.share, share)


class Curriculum:
    """The order of a run's rows, and what became of each."""

    def __init__(self, data: TrainingData, settings: TrainSettings) -> None:
        self._lengths = [sample.width for sample in data.train]
        self._number = {sample.id: row for row, sample in enumerate(data.train)}
        self._settings = settings
        self._fact = np.array([sample.id in data.facts for sample in data.train], bool)
        self.active = settings.until_learned and bool(self._fact.any())
        count = len(self._lengths)
        self._known = np.zeros(count, bool)  # when this epoch began: its plan follows from that
        self._share: Shares = np.full(count, _UNSEEN, np.float32)  # of the last time it was shown
        self._shown = np.zeros(count, bool)  # in this epoch
        self._missed = np.zeros(count, np.uint16)  # epochs in a row in which it was not known
        self._epoch: tuple[int, list[list[list[int]]]] = (-1, [])
        self._data = data
        self._samples: tuple[int, list[TokenizedSample]] = (0, data.train)  # as an epoch shows them
        self.steps_per_epoch = len(self._steps(0))

    def rows_of_step(self, step: int) -> list[list[int]]:
        """The row numbers of each batch of a step that counts from 0."""
        number, position = divmod(step, self.steps_per_epoch)
        if self._epoch[0] != number:
            self._epoch = (number, self._steps(number))
        return self._epoch[1][position]

    def samples_of_step(self, step: int) -> list[list[TokenizedSample]]:
        """They in tokens, as this epoch shows them."""
        number = step // self.steps_per_epoch
        if self._samples[0] != number:
            self._samples = (number, self._data.train_in(number))
        return [[self._samples[1][row] for row in rows] for rows in self.rows_of_step(step)]

    def observe(
        self,
        shown: Sequence[TokenizedSample],
        computed: Sequence[TokenizedSample],
        hits: Sequence[bool],
        total: Callable[[list[float]], Sequence[float]],
    ) -> None:
        """Note what a step saw before it learned.

        Args:
            shown: the rows of the whole step; one that stands there twice counts as their mean.
            computed: those of them that this process computed, in that order.
            hits: of each of their targets in turn, whether it was the model's first choice.
            total: sums numbers over all processes.
        """
        tokens = dict.fromkeys((self._number[sample.id] for sample in shown), 0.0)
        right = dict(tokens)
        for sample in shown:
            tokens[self._number[sample.id]] += sample.targets
        at = 0
        for sample in computed:
            right[self._number[sample.id]] += sum(hits[at : at + sample.targets])
            at += sample.targets
        for row, count in zip(tokens, total(list(right.values())), strict=True):
            self._share[row] = count / tokens[row]
            self._shown[row] = True

    def end_epoch(self, growth: Growth, step: int) -> KnownMetrics:
        """Count who is known now; the next epoch follows from it."""
        right = self._share >= RIGHT
        new = int((right & ~self._known)[self._fact].sum())
        lost = int((~right & self._known)[self._fact].sum())
        self._missed[right] = 0
        self._missed[self._shown & ~right] += 1
        self._known = right
        self._shown[:] = False
        known, facts = int(right[self._fact].sum()), int(self._fact.sum())
        growth.add(known, float(np.maximum(self._share, 0)[self._fact].mean()), facts)
        return KnownMetrics(step, step / self.steps_per_epoch, known, facts, new, lost)

    def facts(self, samples: Sequence[TokenizedSample]) -> list[tuple[int, TokenizedSample]]:
        """The facts among the rows of train, each with the rounds that could not teach it."""
        return [(int(self._missed[n]), samples[int(n)]) for n in np.flatnonzero(self._fact)]

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All that a checkpoint has to hold."""
        return {
            "known": self._known.astype(np.uint8),
            "share": self._share,
            "shown": self._shown.astype(np.uint8),
            "missed": self._missed,
        }

    def restore(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Put back what `arrays` gave.

        Raises:
            KeyError: something is missing.
        """
        self._known = arrays["known"].astype(bool)
        self._share = arrays["share"].astype(np.float32)
        self._shown = arrays["shown"].astype(bool)
        self._missed = arrays["missed"].astype(np.uint16)
        self._epoch = (-1, [])

    def _steps(self, number: int) -> list[list[list[int]]]:
        rows = self._rows(number) if self.active and number else None
        return epoch_steps(self._lengths, self._settings, number, rows)

    def _rows(self, number: int) -> list[int]:
        """As many as there are; some more than once, and what is known only when it is due."""
        resting = self._known & self._fact
        resting[number % REST :: REST] = False
        shown = [int(row) for row in np.flatnonzero(~resting)]
        wanted = [int(row) for row in np.flatnonzero(self._fact & ~self._known)]
        random.Random(f"{self._settings.seed}:{number}:more").shuffle(wanted)
        free = len(self._lengths) - len(shown)
        more = (wanted * (COPIES - 1))[:free]
        rest = [int(row) for row in np.flatnonzero(resting)]
        # Nobody is left to be shown more often: what rests takes its turn, the longest first.
        rest.sort(key=lambda row: ((number - row) % REST, row), reverse=True)
        return [*shown, *more, *rest[: free - len(more)]]
