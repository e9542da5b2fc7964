"""Base and tuned model asked closed book, from one copy of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.demo.printed import Printed, spelled
from bench.demo.questions import HELD_OUT, TAUGHT, Item, Questions
from bench.registry import Figures, Say
from trainer.chat import Sample
from trainer.evaluate.statistics import Estimate, clustered, difference

ROWS = 32  # computed together when answers are weighed
MAX_TOKENS = 48  # the truth's answers are shorter


@dataclass(frozen=True, slots=True)
class Marks:
    """For one system and every question: 1.0 or 0.0."""

    choice: list[float]  # the true answer is the most probable of the four
    exact: list[float]  # the greedy answer has the truth's words


def ask(printed: Printed, held: Questions, say: Say) -> tuple[Marks, Marks]:
    """The marks of base and tuned, the last checkpoint. Evaluates MLX: do not fork after it."""
    from exchange import mlx_runtime
    from trainer.lora import adapter
    from trainer.runs import Run

    tuned_by = Run(printed.archive, "default").adapter("last")
    model, tokenizer = mlx_runtime.load(printed.model, tuned_by)
    tuned = _marks(model, tokenizer, held)
    say("tuned has answered")
    with adapter.base(model):
        base = _marks(model, tokenizer, held)
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


def log_probabilities(model: Any, samples: Sequence[Sample]) -> list[float]:
    """The mean log-probability per target token of every sample, in nats."""
    import mlx.core as mx
    import mlx.nn as nn

    from trainer.lora import batches
    from trainer.lora.loss import make_batch

    found = [0.0] * len(samples)
    for rows in batches.fixed([sample.length for sample in samples], ROWS):
        batch = make_batch([samples[row] for row in rows])
        logits = model(batch.inputs)
        chosen = logits.reshape(-1, logits.shape[-1])[batch.places].astype(mx.float32)
        nats: Any = nn.losses.cross_entropy(chosen, batch.targets, reduction="none").tolist()
        at = 0
        for row in rows:
            count = samples[row].targets
            found[row] = -sum(nats[at : at + count]) / count
            at += count
    return found


def _marks(model: Any, tokenizer: Any, held: Questions) -> Marks:
    from trainer import chat
    from trainer.lora.answers import answer

    asked = [chat.messages(item.question, held.system) for item in held.items]
    model.eval()
    samples = [
        chat.sample(tokenizer, "", [*turns, {"role": "assistant", "content": text}])
        for turns, item in zip(asked, held.items, strict=True)
        for text in item.answers
    ]
    values = iter(log_probabilities(model, samples))
    choice = []
    for item in held.items:
        true, *wrong = (next(values) for _ in item.answers)
        choice.append(float(true > max(wrong)))
    prompts = [chat.prompt_tokens(tokenizer, turns) for turns in asked]
    said = answer(model, tokenizer, prompts, MAX_TOKENS)
    exact = [
        float(spelled(text) == spelled(item.answers[0]))
        for text, item in zip(said, held.items, strict=True)
    ]
    return Marks(choice, exact)


def _gain(
    found: Figures, name: str, split: str, items: Sequence[Item], base: list[float],
    tuned: list[float],
) -> Estimate | None:  # fmt: skip
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
