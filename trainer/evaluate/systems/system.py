"""A prompt strategy with a model; only answers that are not in the cache yet cost anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exchange.errors import Stopped
from exchange.inference.engine import Likelihood
from exchange.records import digest
from trainer.evaluate import records
from trainer.evaluate.records import EvalAnswer, EvalItem
from trainer.evaluate.systems.answer_cache import AnswerCache, answer_key, likelihood_key
from trainer.evaluate.systems.client import ModelClient, ModelOutput
from trainer.evaluate.systems.strategies import EvalPrompt, PromptStrategy

Progress = Callable[[], None]  # called after every cell


@dataclass(frozen=True, slots=True)
class Abstention:
    """When an answer is withheld, and what is said in its place; see `trainer.abstention`."""

    refusal: str
    threshold: Callable[[EvalItem], float]  # mean log-probability a token; under it it is withheld
    about: str = ""  # the threshold and what it was fitted on, for people


@dataclass(slots=True)
class EvalSystem:
    """One column of the evaluation."""

    name: str
    kind: str  # a key of `build.OTHER_SPLITS`
    strategy: PromptStrategy
    client: ModelClient
    store: AnswerCache
    max_tokens: int
    stop: Callable[[], bool] = lambda: False
    abstention: Abstention | None = None
    _asked: dict[str, EvalPrompt] = field(default_factory=dict)  # prompts by item

    def record(self) -> records.SystemInfo:
        """What the report is told about it."""
        made_of = [self.client.key, self.strategy.key, str(self.max_tokens)]
        if self.abstention:
            made_of += [self.abstention.refusal, self.abstention.about]
        return records.SystemInfo(
            self.name,
            digest(*made_of),
            f"{self.client.about}, {self.strategy.about}"
            + (f", {self.abstention.about}" if self.abstention else ""),
            self.client.likelihood and self.abstention is None,
            self.kind,
        )

    @property
    def shortened(self) -> tuple[int, int]:
        """Of the questions asked, those at which something did not fit, and how many there are."""
        return sum(one.left_out > 0 for one in self._asked.values()), len(self._asked)

    def missing(
        self, answered: Sequence[EvalItem], weighed: Sequence[EvalItem]
    ) -> tuple[set[str], set[str]]:
        """Answers and likelihoods that are still to be computed; systems may share some."""
        return (
            {f"{self.client.key} {cell}" for cell in self._open_answers(answered)},
            {f"{self.client.key} {cell}" for cell in self._open_weights(weighed)},
        )

    def answer(self, items: Sequence[EvalItem], progress: Progress) -> list[EvalAnswer]:
        """Every item's answer, in order.

        Raises:
            UserError: stopped; what was answered is kept.
        """
        open_ = self._open_answers(items)
        done = 0

        def ended(number: int, said: ModelOutput) -> None:
            nonlocal done
            done += 1
            self.store.add_output(cells[number], said)
            progress()

        cells = list(open_)
        if cells:
            self.client.answer(
                [open_[cell].prompt for cell in cells], self.max_tokens, ended, self.stop
            )
        self._unless_stopped(done, len(cells))
        answers = [self._answered(item) for item in items]
        return self._withhold(items, answers, self.abstention) if self.abstention else answers

    def loglikelihood(
        self, items: Sequence[EvalItem], progress: Progress
    ) -> dict[str, list[Likelihood]]:
        """By item: how probable its reference is, and then each distractor; {} without likelihoods.

        Raises:
            UserError: stopped; what was weighed is kept.
        """
        if not self.client.likelihood or self.abstention:
            return {}
        self._weigh(self._open_weights(items), progress)
        return {
            item.id: [
                self.store.weighed[likelihood_key(self._prompt(item).prompt, text)]
                for text in completions(item)
            ]
            for item in items
            if item.reference
        }

    def _weigh(self, open_: dict[str, tuple[EvalPrompt, str]], progress: Progress) -> None:
        done = 0

        def weighed(number: int, likelihood: Likelihood) -> None:
            nonlocal done
            done += 1
            self.store.add_likelihood(cells[number], likelihood)
            progress()

        cells = list(open_)
        if cells:
            self.client.loglikelihood(
                [open_[cell][0].prompt for cell in cells],
                [open_[cell][1] for cell in cells],
                weighed,
                self.stop,
            )
        self._unless_stopped(done, len(cells))

    def _withhold(
        self, items: Sequence[EvalItem], answers: Sequence[EvalAnswer], abstention: Abstention
    ) -> list[EvalAnswer]:
        """The answers with their own likelihood; where that is too low, what is said instead."""
        asked = {
            answer.item: (self._prompt(item), answer.text)
            for item, answer in zip(items, answers, strict=True)
            if not answer.error
        }
        cells = {name: likelihood_key(one.prompt, text) for name, (one, text) in asked.items()}
        open_ = {
            cell: asked[name] for name, cell in cells.items() if cell not in self.store.weighed
        }
        self._weigh(open_, lambda: None)
        found = []
        for item, answer in zip(items, answers, strict=True):
            if answer.item in cells:
                sure = self.store.weighed[cells[answer.item]].mean
                answer = answer.replace(likelihood=sure)
                if sure < abstention.threshold(item):
                    answer = answer.replace(text=abstention.refusal, withheld=answer.text)
            found.append(answer)
        return found

    def _unless_stopped(self, done: int, wanted: int) -> None:
        if done < wanted:
            raise Stopped("stopped; run the same command again to go on")

    def _prompt(self, item: EvalItem) -> EvalPrompt:
        if item.id not in self._asked:
            self._asked[item.id] = self.strategy.build_prompt(
                item, lambda prompt: self.client.fits(prompt, self.max_tokens)
            )
        return self._asked[item.id]

    def _open_answers(self, items: Sequence[EvalItem]) -> dict[str, EvalPrompt]:
        found = {}
        for item in items:
            asked = self._prompt(item)
            cell = answer_key(asked.prompt, self.max_tokens)
            if cell not in self.store.said:
                found[cell] = asked
        return found

    def _open_weights(self, items: Sequence[EvalItem]) -> dict[str, tuple[EvalPrompt, str]]:
        found = {}
        for item in items if self.client.likelihood and not self.abstention else ():
            asked = self._prompt(item)
            for text in completions(item):
                cell = likelihood_key(asked.prompt, text)
                if cell not in self.store.weighed:
                    found[cell] = (asked, text)
        return found

    def _answered(self, item: EvalItem) -> EvalAnswer:
        asked = self._prompt(item)
        said = self.store.said[answer_key(asked.prompt, self.max_tokens)]
        return EvalAnswer(
            item.id,
            said.text,
            said.tokens_in,
            said.tokens_out,
            said.seconds,
            said.finish_reason,
            said.error,
            asked.sources,
        )


def completions(item: EvalItem) -> tuple[str, ...]:
    """What is weighed: the reference first, then what is to be less probable."""
    return (item.reference, *item.distractors) if item.reference else ()
