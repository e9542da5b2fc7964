"""Base and tuned model asked closed book, from one copy of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.demo.questions import HELD_OUT, TAUGHT, ClosedBookQuestion, ClosedBookTest
from bench.demo.results import DemoResults, folded_words
from bench.registry import Figures, Log
from exchange.inference.engine import RequestOutput
from trainer.statistics import ClusteredEstimate, clustered_mean, difference

MAX_TOKENS = 48  # the truth's answers are shorter
WIDTH = 32


@dataclass(frozen=True, slots=True)
class SystemMarks:
    """For one system and every question: 1.0 or 0.0."""

    choice: list[float]  # the true answer is the most probable of the four
    exact: list[float]  # the greedy answer has the truth's words


def ask(printed: DemoResults, held: ClosedBookTest, log: Log) -> tuple[SystemMarks, SystemMarks]:
    """The marks of base and tuned, the last checkpoint. Evaluates MLX: do not fork after it."""
    from exchange.inference.engine import BASE, TUNED
    from exchange.inference.mlx.engine import MlxEngine
    from trainer.training.runs import TrainingRun

    adapter = TrainingRun(printed.archive, "default").adapter("last")
    engine = MlxEngine(printed.model, name=printed.model.name, width=WIDTH, adapter=adapter)
    tuned = marks(engine, TUNED, held)
    log("tuned has answered")
    return marks(engine, BASE, held), tuned


def figures(held: ClosedBookTest, marks: tuple[SystemMarks, SystemMarks]) -> Figures:
    """Shares of both, gains with their intervals, and the difference of the gains."""
    base, tuned = marks
    found: Figures = {}
    for ours, theirs, taught, unseen, beyond in (
        (base.choice, tuned.choice, "recall_", "unseen_", "recall_minus_unseen"),
        (base.exact, tuned.exact, "exact_", "unseen_exact_", "exact_minus_unseen"),
    ):
        one = _gain(found, taught, TAUGHT, held.items, ours, theirs)
        other = _gain(found, unseen, HELD_OUT, held.items, ours, theirs)
        _put(found, beyond, difference(one, other) if one and other else None)
    return found


def marks(engine: Any, model: str, held: ClosedBookTest) -> SystemMarks:
    """What one model of an engine, `BASE` or `TUNED`, knows of the questions."""
    from exchange.inference.engine import drain
    from trainer import tokenization
    from trainer.evaluate.metrics import likelihood

    asked = [tokenization.chat_messages(item.question, held.system) for item in held.items]
    prompts = [turns for turns, item in zip(asked, held.items, strict=True) for _ in item.answers]
    completions = [text for item in held.items for text in item.answers]
    values = iter(engine.loglikelihood(prompts, completions, model=model))
    chosen = []
    for item in held.items:
        true, *wrong = (next(values).mean for _ in item.answers)
        chosen.append(likelihood.is_most_probable(true, wrong))
    tickets = [engine.submit(turns, MAX_TOKENS, 0, model=model) for turns in asked]
    said = [""] * len(asked)

    def on_output(number: int, output: RequestOutput) -> None:
        said[number] = output.text

    drain(engine, {ticket: number for number, ticket in enumerate(tickets)}, on_output)
    exact = [
        float(folded_words(text) == folded_words(item.answers[0]))
        for text, item in zip(said, held.items, strict=True)
    ]
    return SystemMarks(chosen, exact)


def _gain(
    found: Figures,
    name: str,
    split: str,
    items: Sequence[ClosedBookQuestion],
    base: list[float],
    tuned: list[float],
) -> ClusteredEstimate | None:
    chosen = [index for index, item in enumerate(items) if item.split == split]
    clusters = [items[index].cluster for index in chosen]
    for system, marks in (("base", base), ("tuned", tuned)):
        right = sum(marks[index] for index in chosen)
        found[f"{name}{system}"] = round(right / len(chosen), 4) if chosen else None
    gain = None
    if len(set(clusters)) > 1:
        gain = clustered_mean([tuned[index] - base[index] for index in chosen], clusters)
    _put(found, f"{name}gain", gain)
    return gain


def _put(found: Figures, name: str, estimate: ClusteredEstimate | None) -> None:
    for end, value in (
        ("", estimate.mean if estimate else None),
        ("_low", estimate.low if estimate else None),
        ("_high", estimate.high if estimate else None),
    ):
        found[name + end] = None if value is None else round(value, 4)
