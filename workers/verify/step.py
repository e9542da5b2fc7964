"""The model reads each accepted pair back, while the chunk it was made from is still in its cache.

A follow-up request begins with the very prompt that the pairs were made with, up to the end of the
chunk, and goes ahead of those that wait; so an engine that shares prefixes reads no chunk twice,
and what verification costs is the question, a short answer, and one pass over some answers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from exchange.inference.engine import Engine, FollowUpEngine, LikelihoodEngine, RequestOutput
from exchange.recipes.registry import PromptRegistry
from exchange.records import Pair, Task
from workers.verify import scores

log = logging.getLogger(__name__)

KINDS = frozenset({"chunk", "dense", "whois"})  # tasks whose answers stand in what was read
ROUND_TRIP, CONTRAST, LIKELIHOOD = "round_trip", "contrast", "likelihood"
LONGEST_ANSWER = 24  # tokens of a second answer, which is asked for in a few words


@dataclass(slots=True)
class ReadBack:
    """The follow-up requests of one reply, until the last of them has ended."""

    task: Task
    open: dict[int, Pair]  # by the ticket of each round trip
    scores: dict[str, dict[str, float]] = field(default_factory=dict)  # by the pair's id

    @classmethod
    def begin(
        cls, engine: Engine, prompts: PromptRegistry, task: Task, pairs: Sequence[Pair]
    ) -> ReadBack:
        """Submit a round trip of each accepted pair, and weigh its answer against others."""
        found = cls(task, {})
        if task.kind not in KINDS:
            return found
        for pair in (one for one in pairs if one.status == "accepted"):
            messages = prompts.follow_up(task, pair.question)
            found.scores[pair.id] = _weigh(engine, messages, task, pair)
            try:
                if isinstance(engine, FollowUpEngine):
                    ticket = engine.follow_up(messages, LONGEST_ANSWER)
                else:
                    ticket = engine.submit(messages, LONGEST_ANSWER, 0)
            except ValueError:  # it no longer fits the context: the pair stays without the score
                continue
            found.open[ticket] = pair
        return found

    def add(self, output: RequestOutput) -> None:
        """One round trip has ended; a failed one leaves its pair without that score."""
        pair = self.open.pop(output.ticket)
        if output.error:
            log.warning("a pair could not be read back: %s", output.error)
            return
        again = scores.agreement(pair.question, pair.answer, output.text, self.task.language)
        self.scores[pair.id][ROUND_TRIP] = round(again, 4)

    def apply(self, pairs: Sequence[Pair]) -> tuple[Pair, ...]:
        """The pairs with what was found of each."""
        return tuple(
            pair.replace(scores={**pair.scores, **self.scores[pair.id]})
            if self.scores.get(pair.id)
            else pair
            for pair in pairs
        )


def _weigh(
    engine: Engine, messages: list[dict[str, str]], task: Task, pair: Pair
) -> dict[str, float]:
    """Natural logarithms, per token; the contrast is against the likeliest other answer."""
    if not isinstance(engine, LikelihoodEngine):
        return {}
    others = scores.alternatives(pair.question, pair.answer, task.text)
    answers = [pair.answer, *others]
    own, *rest = engine.loglikelihood([messages] * len(answers), answers)
    found = {LIKELIHOOD: round(own.mean, 4)}
    if rest:
        found[CONTRAST] = round(own.mean - max(one.mean for one in rest), 4)
    return found
