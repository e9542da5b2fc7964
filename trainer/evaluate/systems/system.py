"""A way of asking and somebody who speaks; only cells that nobody has filled yet cost anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exchange.engine import Likelihood
from exchange.errors import STOPPED, UserError
from exchange.records import digest
from trainer.evaluate import records
from trainer.evaluate.records import Answer, Item
from trainer.evaluate.systems.asking import Asked, Way
from trainer.evaluate.systems.speaker import Said, Speaker
from trainer.evaluate.systems.store import Store, answer_cell, weigh_cell

Progress = Callable[[], None]  # called after every cell


@dataclass(slots=True)
class System:
    """One column of the evaluation."""

    name: str
    kind: str  # base, few-shot, rag, tuned, tuned+rag, oracle or endpoint
    way: Way
    speaker: Speaker
    store: Store
    max_tokens: int
    stop: Callable[[], bool] = lambda: False
    _asked: dict[str, Asked] = field(default_factory=dict)  # prompts by item

    def record(self) -> records.System:
        """What the report is told about it."""
        return records.System(
            self.name,
            digest(self.speaker.key, self.way.key, str(self.max_tokens)),
            f"{self.speaker.about}, {self.way.about}",
            self.speaker.likelihood,
            self.kind,
        )

    def missing(
        self, answered: Sequence[Item], weighed: Sequence[Item]
    ) -> tuple[set[str], set[str]]:
        """Answers and likelihoods that are still to be computed; systems may share some."""
        return (
            {f"{self.speaker.key} {cell}" for cell in self._open_answers(answered)},
            {f"{self.speaker.key} {cell}" for cell in self._open_weights(weighed)},
        )

    def answer(self, items: Sequence[Item], progress: Progress) -> list[Answer]:
        """Every item's answer, in order.

        Raises:
            UserError: stopped; what was answered is kept.
        """
        open_ = self._open_answers(items)
        done = 0

        def ended(number: int, said: Said) -> None:
            nonlocal done
            done += 1
            self.store.keep_said(cells[number], said)
            progress()

        cells = list(open_)
        if cells:
            self.speaker.answer(
                [open_[cell].prompt for cell in cells], self.max_tokens, ended, self.stop
            )
        self._unless_stopped(done, len(cells))
        return [self._answered(item) for item in items]

    def weigh(self, items: Sequence[Item], progress: Progress) -> dict[str, list[Likelihood]]:
        """By item: how probable its reference is, and then each distractor; {} without likelihoods.

        Raises:
            UserError: stopped; what was weighed is kept.
        """
        if not self.speaker.likelihood:
            return {}
        open_ = self._open_weights(items)
        done = 0

        def weighed(number: int, likelihood: Likelihood) -> None:
            nonlocal done
            done += 1
            self.store.keep_weighed(cells[number], likelihood)
            progress()

        cells = list(open_)
        if cells:
            self.speaker.weigh(
                [open_[cell][0].prompt for cell in cells],
                [open_[cell][1] for cell in cells],
                weighed,
                self.stop,
            )
        self._unless_stopped(done, len(cells))
        return {
            item.id: [
                self.store.weighed[weigh_cell(self._prompt(item).prompt, text)]
                for text in completions(item)
            ]
            for item in items
            if item.reference
        }

    def _unless_stopped(self, done: int, wanted: int) -> None:
        if done < wanted:
            raise UserError("stopped; run the same command again to go on", STOPPED)

    def _prompt(self, item: Item) -> Asked:
        if item.id not in self._asked:
            self._asked[item.id] = self.way.ask(
                item, lambda prompt: self.speaker.fits(prompt, self.max_tokens)
            )
        return self._asked[item.id]

    def _open_answers(self, items: Sequence[Item]) -> dict[str, Asked]:
        found = {}
        for item in items:
            asked = self._prompt(item)
            cell = answer_cell(asked.prompt, self.max_tokens)
            if cell not in self.store.said:
                found[cell] = asked
        return found

    def _open_weights(self, items: Sequence[Item]) -> dict[str, tuple[Asked, str]]:
        found = {}
        for item in items if self.speaker.likelihood else ():
            asked = self._prompt(item)
            for text in completions(item):
                cell = weigh_cell(asked.prompt, text)
                if cell not in self.store.weighed:
                    found[cell] = (asked, text)
        return found

    def _answered(self, item: Item) -> Answer:
        asked = self._prompt(item)
        said = self.store.said[answer_cell(asked.prompt, self.max_tokens)]
        return Answer(
            item.id,
            said.text,
            said.tokens_in,
            said.tokens_out,
            said.seconds,
            said.finish_reason,
            said.error,
            asked.sources,
        )


def completions(item: Item) -> tuple[str, ...]:
    """What is weighed: the reference first, then what is to be less probable."""
    return (item.reference, *item.distractors) if item.reference else ()
