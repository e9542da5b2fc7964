"""Verification by reading on labelled pairs: what each signal of a model is worth, and its cost.

area_round_trip, area_contrast, area_likelihood   how often a right pair is above a wrong one (ties
                     count half), over the pairs of one language
area_by_label        the same for right pairs against wrong ones of one of the labels' own reasons
area_fitted, right_kept, wrong_kept   of the signals together: fitted on half of the texts, tried on
                     the other half
accepted_right_rules, accepted_right_verified   right pairs of all accepted: by the rules alone, and
                     of those the ones that pass the threshold of the other half
tokens_share         tokens that verification reads and writes, over those of generation: the text,
                     and questions and answers; what the cache holds is read by neither
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.checks.corpus import chunk_task
from bench.registry import Figures
from exchange.records import Pair, Task
from workers.verify import scores, threshold
from workers.verify.step import CONTRAST, LIKELIHOOD, ROUND_TRIP, ReadBack
from workers.verify.threshold import LabelledSignals, area_under_curve

WIDTH = 8
CACHE_BYTES = 1 << 30
SIGNALS = (ROUND_TRIP, CONTRAST, LIKELIHOOD)
FEWEST = 4  # wrong pairs of a label; an area of fewer says nothing


def read_back(
    model: Path,
    rows: Sequence[dict[str, Any]],
    accepted: Sequence[bool],
    log: Callable[[str], None],
) -> Figures:
    """Let the model of a folder read every pair back.

    Args:
        rows: labelled pairs of one language, those of one text beside each other.
        accepted: what the rules made of each.
    """
    from exchange.inference.mlx.engine import MlxEngine
    from exchange.recipes.registry import PromptRegistry
    from exchange.settings import PersonaSettings
    from workers.settings import WorkSettings

    language = rows[0]["language"]
    prompts = PromptRegistry(
        WorkSettings.model_validate({"prompt": f"{language}/chunk"}),
        model.name,
        PersonaSettings.model_validate({"language": language}),
    )
    engine = MlxEngine(model, name=model.name, width=WIDTH, cache_bytes=CACHE_BYTES)
    found: dict[str, dict[str, float]] = {}
    spent, written, began = 0, 0, time.process_time()
    for task, pairs in _by_text(rows):
        engine.submit(prompts.messages(task), 1, 0)  # so that the text is known, as after a reply
        while not engine.step():
            pass
        read = ReadBack.begin(engine, prompts, task, pairs)
        tokens = _Tokens(engine, prompts, task)
        written += tokens.generation(pairs)
        spent += sum(map(tokens.verification, pairs))
        while read.open:
            for output in engine.step():
                spent += output.tokens_out
                read.add(output)
        found |= read.scores
        log(f"{len(found)} of {len(rows)} pairs read back")
    labelled = [LabelledSignals(found[row["id"]], bool(row["good"]), row["text"]) for row in rows]
    return {
        "model": model.name,
        "language": language,
        **_areas(labelled, rows),
        **_after_rules(labelled, accepted),
        "tokens_share": round(spent / written, 3),
        "read_back_cpu_s": round(time.process_time() - began, 1),
    }


class _Tokens:
    """What the requests of one task cost, beyond what a cache holds."""

    def __init__(self, engine: Any, prompts: Any, task: Task) -> None:
        self._engine, self._prompts, self._task = engine, prompts, task
        self._chunk = engine.encode(prompts.messages(task))

    def generation(self, pairs: Sequence[Pair]) -> int:
        """The text behind the instruction, and the pairs as they are written."""
        other = self._engine.encode(self._prompts.messages(self._task.replace(text="1", header="")))
        lines = sum(self._length(f"Question: {p.question}\nAnswer: {p.answer}\n") for p in pairs)
        return len(self._chunk) - _common(self._chunk, other) + lines

    def verification(self, pair: Pair) -> int:
        """The question, read once for both signals, and each answer that is weighed."""
        asked = self._engine.encode(self._prompts.follow_up(self._task, pair.question))
        others = scores.alternatives(pair.question, pair.answer, self._task.text)
        answers = sum(map(self._length, [pair.answer, *others]))
        return len(asked) - _common(asked, self._chunk) + answers

    def _length(self, text: str) -> int:
        return len(self._engine.tokenizer.encode(text))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _by_text(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[Task, list[Pair]]]:
    texts: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        texts.setdefault(row["text"], []).append(row)
    for text, some in texts.items():
        task = chunk_task(text, some[0]["header"], some[0]["language"])
        yield (
            task,
            [
                Pair(
                    id=row["id"],
                    task_id=task.id,
                    chunk_ids=task.chunk_ids,
                    question=row["question"],
                    answer=row["answer"],
                    kind="fact",
                    status="accepted",
                )
                for row in some
            ],
        )


def _areas(labelled: Sequence[LabelledSignals], rows: Sequence[dict[str, Any]]) -> Figures:
    figures: Figures = {}
    labels = sorted({row["reason"] for row in rows if row["reason"]})
    by_label: dict[str, dict[str, float]] = {}
    for signal in SIGNALS:
        values = [one.signals.get(signal, 0.0) for one in labelled]
        right = [one.right for one in labelled]
        figures[f"area_{signal}"] = round(area_under_curve(values, right), 3)
        for label in labels:
            chosen = [i for i, row in enumerate(rows) if right[i] or row["reason"] == label]
            wrong = len(chosen) - sum(right)
            if wrong >= FEWEST:
                area = area_under_curve([values[i] for i in chosen], [right[i] for i in chosen])
                by_label.setdefault(f"{label} ({wrong})", {})[signal] = round(area, 3)
    return {**figures, "area_by_label": by_label}


def _after_rules(labelled: Sequence[LabelledSignals], accepted: Sequence[bool]) -> Figures:
    fitted, tried = threshold.fit(labelled), threshold.try_halves(labelled)
    right = [one.right for one in labelled]
    by_rules = [is_right for is_right, kept in zip(right, accepted, strict=True) if kept]
    verified = [
        is_right
        for is_right, kept, one in zip(right, accepted, tried, strict=True)
        if kept and one.passed
    ]
    return {
        "area_fitted": round(fitted.area, 3),
        "right_kept": round(fitted.right_kept, 3),
        "wrong_kept": round(fitted.wrong_kept, 3),
        "accepted_right_rules": round(sum(by_rules) / len(by_rules), 3) if by_rules else None,
        "accepted_right_verified": round(sum(verified) / len(verified), 3) if verified else None,
        "good_kept_verified": round(sum(verified) / sum(right), 3),
    }
