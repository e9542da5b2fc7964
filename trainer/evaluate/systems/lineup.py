"""Who is asked in one evaluation: systems from the settings, those that share weights together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainer.evaluate.prompts import Template
from trainer.evaluate.rag import Index
from trainer.evaluate.records import Item
from trainer.evaluate.settings import Evaluate
from trainer.evaluate.systems.asking import Examples, Gold, Plain, Retrieved, Way
from trainer.evaluate.systems.speaker import Speaker
from trainer.evaluate.systems.store import Store
from trainer.evaluate.systems.system import System

FACTS = ("test_recall", "test_unseen")
# What a kind is asked besides the facts. Examples and passages are no cure for a general question,
# and with the gold chunk nothing is absent.
BESIDES = {
    "base": ("absent", "disturbed", "test_general"),
    "tuned": ("absent", "disturbed", "test_general"),
    "endpoint": ("absent", "disturbed", "test_general"),
    "rag": ("absent", "disturbed"),
    "tuned+rag": ("absent", "disturbed"),
    "few-shot": ("absent",),
    "oracle": (),
}


@dataclass(frozen=True, slots=True)
class Speakers:
    """Those who can be asked at all; None where there is no such."""

    base: Speaker
    tuned: Speaker | None
    endpoint: Speaker | None


@dataclass(frozen=True, slots=True)
class Means:
    """What the ways of asking need."""

    examples: Index
    search: Index | None  # None: there is no archive to search
    template: Template
    store: Path  # folder of the answers
    stop: Callable[[], bool]


def line_up(settings: Evaluate, speakers: Speakers, means: Means) -> list[System]:
    """The systems in the order of the settings, few-shot once for each number of examples."""
    stores: dict[str, Store] = {}
    found = []
    for kind in settings.systems:
        speaker = _speaker(kind, speakers)
        for name, way in _ways(kind, settings, means):
            if speaker is None:
                continue
            if speaker.key not in stores:
                stores[speaker.key] = Store(means.store, speaker.key)
            found.append(
                System(
                    name, kind, way, speaker, stores[speaker.key], settings.max_tokens, means.stop
                )
            )
    return found


def asked(kind: str, items: list[Item]) -> list[Item]:
    """The items that a kind of system is asked."""
    splits = (*FACTS, *BESIDES[kind])
    return [item for item in items if item.split in splits and (kind != "oracle" or item.gold)]


def weighed(items: list[Item]) -> list[Item]:
    """Those whose references are weighed too."""
    return [item for item in items if item.split in (*FACTS, "test_general")]


def _speaker(kind: str, speakers: Speakers) -> Speaker | None:
    if kind == "endpoint":
        return speakers.endpoint
    return speakers.tuned if kind.startswith("tuned") else speakers.base


def _ways(kind: str, settings: Evaluate, means: Means) -> list[tuple[str, Way]]:
    """Names of systems with their ways of asking."""
    if kind == "few-shot":
        return [(f"{kind}-{count}", Examples(means.examples, count)) for count in settings.shots]
    if kind in ("rag", "tuned+rag"):
        if means.search is None:
            return []
        name = "base+rag" if kind == "rag" else kind
        return [(name, Retrieved(means.search, means.template, settings.passages))]
    if kind == "oracle":
        return [(kind, Gold(means.template))] if means.search is not None else []
    return [(kind, Plain())]
