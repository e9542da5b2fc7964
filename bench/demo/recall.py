"""Base and tuned model asked closed book, from one copy of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.demo.printed import Printed, spelled
from bench.demo.questions import HELD_OUT, TAUGHT, Item, Questions
from bench.registry import Figures, Say
from trainer.evaluate.statistics import Estimate, clustered, difference

MAX_TOKENS = 48  # the truth's answers are shorter


@dataclass(frozen=True, slots=True)
class Marks:
    """For one system and every question: 1.0 or 0.0."""

    choice: list[float]  # the true answer is the most probable of the four
    exact: list[float]  # the greedy answer has the truth's words


def ask(printed: Printed, held: Questions, say: Say) -> tuple[Marks, Marks]:
    """The marks of base and tuned, the last checkpoint. Evaluates MLX: do not fork after it."""
    from trainer.lora import twin
    from trainer.runs import Run

    loaded = twin.load(printed.model, Run(printed.archive, "default").adapter("last"))
    base_model, tuned_model, tokenizer = loaded
    tuned = _marks(tuned_model, tokenizer, held)
    say("tuned has answered")
    base = _marks(base_model, tokenizer, held)
    return base, tuned


def figures(held: Questions, marks: tuple[Marks, Marks]) -> Figures:
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


def _marks(model: Any, tokenizer: Any, held: Questions) -> Marks:
    from exchange import chat_template
    from exchange.mlx_scoring import score
    from trainer import chat
    from trainer.evaluate.metrics import choice
    from trainer.lora.answers import answer

    asked = [chat.messages(item.question, held.system) for item in held.items]
    rows = [
        chat_template.conversation(tokenizer, [*turns, {"role": "assistant", "content": text}])
        for turns, item in zip(asked, held.items, strict=True)
        for text in item.answers
    ]
    values = iter(score(model, rows))
    chosen = []
    for item in held.items:
        true, *wrong = (next(values).mean for _ in item.answers)
        chosen.append(choice.right(true, wrong))
    prompts = [chat.prompt_tokens(tokenizer, turns) for turns in asked]
    said = answer(model, tokenizer, prompts, MAX_TOKENS)
    exact = [
        float(spelled(text) == spelled(item.answers[0]))
        for text, item in zip(said, held.items, strict=True)
    ]
    return Marks(chosen, exact)


def _gain(
    found: Figures,
    name: str,
    split: str,
    items: Sequence[Item],
    base: list[float],
    tuned: list[float],
) -> Estimate | None:
    chosen = [index for index, item in enumerate(items) if item.split == split]
    clusters = [items[index].cluster for index in chosen]
    for system, marks in (("base", base), ("tuned", tuned)):
        right = sum(marks[index] for index in chosen)
        found[f"{name}{system}"] = round(right / len(chosen), 4) if chosen else None
    gain = None
    if len(set(clusters)) > 1:
        gain = clustered([tuned[index] - base[index] for index in chosen], clusters)
    _put(found, f"{name}gain", gain)
    return gain


def _put(found: Figures, name: str, estimate: Estimate | None) -> None:
    for end, value in (
        ("", estimate.mean if estimate else None),
        ("_low", estimate.low if estimate else None),
        ("_high", estimate.high if estimate else None),
    ):
        found[name + end] = None if value is None else round(value, 4)
