"""Evaluations whose truth is known: systems that are right, terse or hostile by construction."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from exchange.records import digest
from trainer.evaluate.records import (
    EvalAnswer,
    EvalItem,
    Evaluation,
    EvaluationInfo,
    JudgeAudit,
    MetricInfo,
    Preference,
    SystemInfo,
)

SECTIONS = ("Πόλη", "Οικονομία", "Αθλητικά")
CHOICE = MetricInfo(
    "choice",
    "choice|v:1",
    "The true answer is the most probable.",
    "share",
    "higher",
    ("test_recall", "test_unseen"),
    primary=True,
)
FACTS = MetricInfo(
    "facts",
    "facts|v:1",
    "The facts stand in the answer.",
    "share",
    "higher",
    ("test_recall", "test_unseen"),
    primary=True,
)
GROUNDED = MetricInfo(
    "groundedness",
    "groundedness|v:1",
    "Nothing is invented.",
    "share",
    "higher",
    ("test_recall", "test_unseen"),
)
LENGTH = MetricInfo(
    "length", "length|v:1", "Words a word.", "ratio", "neither", ("test_recall", "test_unseen")
)
BITS = MetricInfo(
    "bits",
    "bits|v:1",
    "Bits per character.",
    "bits per character",
    "lower",
    ("test_recall", "test_unseen"),
)
FORGETTING = MetricInfo(
    "forgetting", "forgetting|v:1", "Old words.", "share", "higher", ("test_general",)
)
METRICS = (CHOICE, FACTS, GROUNDED, LENGTH, BITS, FORGETTING)


@dataclass(frozen=True, slots=True)
class Planted:
    """How good a system is; shares of questions."""

    name: str
    kind: str
    taught: float  # right on test_recall
    unseen: float
    general: float = 0.6
    grounded: float = 0.7
    length: float = 1.0
    likelihood: bool = True


SIX = (
    Planted("base", "base", 0.30, 0.28),
    Planted("few-shot-3", "few-shot", 0.34, 0.30),
    Planted("rag", "rag", 0.55, 0.54),
    Planted("tuned", "tuned", 0.80, 0.28, 0.6, 0.8, 0.7),
    Planted("tuned+rag", "tuned+rag", 0.84, 0.50, 0.6, 0.85, 0.8),
    Planted("oracle", "oracle", 0.92, 0.91, 0.6, 0.95),
)


def evaluation(
    systems: Sequence[Planted] = SIX,
    stories: int = 120,
    each: int = 3,
    seed: int = 5,
    audit: JudgeAudit | None = None,
) -> Evaluation:
    """Each story has its own difficulty, which all systems feel; each system its own luck."""
    rng = random.Random(seed)
    items: dict[str, EvalItem] = {}
    scores: dict[str, dict[str, dict[str, float | None]]] = {
        metric.name: {system.name: {} for system in systems} for metric in METRICS
    }
    sure: dict[str, dict[str, float]] = {system.name: {} for system in systems}
    answers: dict[str, dict[str, EvalAnswer]] = {system.name: {} for system in systems}
    for story in range(stories):
        split = "test_recall" if story % 3 else "test_unseen"
        hard = rng.gauss(0, 0.12)
        for number in range(each):
            item = _item(rng, story, number, split)
            items[item.id] = item
            luck = rng.random()
            for system in systems:
                chance = (system.taught if split == "test_recall" else system.unseen) + hard
                right = 0.7 * luck + 0.3 * rng.random() < chance
                told = rng.random() < system.grounded + hard
                answers[system.name][item.id] = _answer(rng, item, right, system)
                values = {
                    "choice": float(right) if system.likelihood else None,
                    "facts": float(right and rng.random() < 0.9),
                    "groundedness": float(told),
                    "length": system.length * rng.uniform(0.8, 1.2),
                    "bits": 3 - 2 * chance + rng.gauss(0, 0.1),
                }
                for metric, value in values.items():
                    scores[metric][system.name][item.id] = value
                sure[system.name][item.id] = min(0.99, max(0.25, chance + rng.gauss(0, 0.1)))
    for number in range(100):
        item = _item(rng, number, 0, "test_general").replace(
            id=digest("general", str(number)),
            cluster=f"general-{number}",
        )
        items[item.id] = item
        ease = rng.gauss(0, 0.1)
        for system in systems:
            scores["forgetting"][system.name][item.id] = min(
                1.0, max(0.0, system.general + ease + rng.gauss(0, 0.05))
            )
            answers[system.name][item.id] = _answer(rng, item, True, system)
    return Evaluation(
        about(systems),
        items,
        answers,
        scores,
        {"choice": sure},
        audit or fair_audit(),
        _preferences(rng, items),
    )


def about(systems: Sequence[Planted]) -> EvaluationInfo:
    """What was asked with what."""
    known = [
        SystemInfo(one.name, digest(one.name), f"the {one.name}", one.likelihood, one.kind)
        for one in systems
    ]
    return EvaluationInfo(
        "paper",
        "default",
        "last",
        "tiny",
        "0123456789ab",
        "ba9876543210",
        "feedfeedfeed",
        "cafecafe",
        {"questions": 300, "shots": [3]},
        [one.to_dict() for one in known],
        [one.to_dict() for one in METRICS],
        {"stories": 120, "chunks": 340, "chunks with a pair": 300, "chunks taught": 260},
        "kkoracle evaluate paper --name default",
        "2026-11-20T19:00:00+00:00",
        321.0,
    )


def fair_audit() -> JudgeAudit:
    """A judge that may be believed."""
    faults = [
        {"name": name, "asked": 40, "caught": caught}
        for name, caught in (
            ("negation", 36),
            ("number", 38),
            ("date", 37),
            ("name", 39),
            ("truncation", 31),
            ("padding", 33),
        )
    ]
    return JudgeAudit("base", "pairwise|both orders|v:1", True, "", 0.53, faults)


def copy_of(base: Evaluation, name: str, kind: str, change: str, seed: int = 1) -> Evaluation:
    """`base`'s own answers again, under another name: `identical`, `corrupted` (one in ten is
    wrong) or `shortened`."""
    rng = random.Random(seed)
    scores = {metric: dict(by_system) for metric, by_system in base.scores.items()}
    bad = {key for key in base.items if rng.random() < 0.10} if change == "corrupted" else set()
    for metric, by_system in scores.items():
        values = dict(by_system["base"])
        for key in values:
            if key in bad and metric in ("choice", "facts", "groundedness"):
                values[key] = 0.0
            if change == "shortened" and metric == "length":
                values[key] = 0.6 * (values[key] or 0.0)
        by_system[name] = values
    answers = {**base.answers, name: dict(base.answers["base"])}
    systems = [*base.about.systems, SystemInfo(name, digest(name), change, True, kind).to_dict()]
    return replace(base, about=base.about.replace(systems=systems), answers=answers, scores=scores)


def _item(rng: random.Random, story: int, number: int, split: str) -> EvalItem:
    key = digest(split, str(story), str(number))
    amount = rng.randrange(100, 999)
    gold = (
        f"Το δημοτικό συμβούλιο ενέκρινε {amount} ευρώ για το έργο {story}. Ο δήμαρχος είπε "
        "ότι οι εργασίες θα τελειώσουν ως το καλοκαίρι."
    )
    return EvalItem(
        key,
        split,
        f"Πόσα ευρώ ενέκρινε το συμβούλιο για το έργο {story}, ερώτηση {number};",
        f"Ενέκρινε {amount} ευρώ.",
        f"story-{story}",
        "",
        "quantity",
        gold,
        f"Φωνή, {1 + story % 28}/5/{2008 + story % 6}, Το έργο {story}",
        f"https://paper.example/story/{story}",
        ("Ενέκρινε 1 ευρώ.",),
        {"section": SECTIONS[story % 3], "year": str(2008 + story % 6)},
    )


def _answer(rng: random.Random, item: EvalItem, right: bool, system: Planted) -> EvalAnswer:
    text = item.reference if right else f"Ενέκρινε {rng.randrange(1000, 9999)} ευρώ."
    tokens_in = 700 if "rag" in system.kind else 40
    return EvalAnswer(item.id, text, tokens_in, rng.randrange(6, 20), rng.uniform(0.1, 0.3), "stop")


def _preferences(rng: random.Random, items: dict[str, EvalItem]) -> list[Preference]:
    found = []
    for key in list(items)[:80]:
        first, second = rng.uniform(0.3, 1), rng.uniform(0.3, 1)
        value = 1.0 if min(first, second) > 0.5 else 0.5
        found.append(Preference(key, "tuned", "base", first, second, value))
    return found
