"""Who is asked in one evaluation: systems from the settings, those that share weights together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exchange.recipes.prompts import PromptTemplate
from trainer.evaluate.rag import SearchIndex
from trainer.evaluate.records import FACT_SPLITS, EvalItem
from trainer.evaluate.settings import EvaluateSettings
from trainer.evaluate.systems.answer_cache import AnswerCache
from trainer.evaluate.systems.client import ModelClient
from trainer.evaluate.systems.strategies import (
    FewShotStrategy,
    OracleStrategy,
    PromptStrategy,
    RagStrategy,
    ZeroShotStrategy,
)
from trainer.evaluate.systems.system import EvalSystem

# What a kind is asked besides the facts. Examples and passages are no cure for a general question,
# and with the gold chunk nothing is absent.
OTHER_SPLITS = {
    "base": ("absent", "disturbed", "test_general"),
    "tuned": ("absent", "disturbed", "test_general"),
    "endpoint": ("absent", "disturbed", "test_general"),
    "rag": ("absent", "disturbed"),
    "tuned+rag": ("absent", "disturbed"),
    "few-shot": ("absent",),
    "oracle": (),
}


@dataclass(frozen=True, slots=True)
class ModelClients:
    """Those who can be asked at all; None where there is no such."""

    base: ModelClient
    tuned: ModelClient | None
    endpoint: ModelClient | None


@dataclass(frozen=True, slots=True)
class SystemResources:
    """What the ways of asking need."""

    examples: SearchIndex
    search: SearchIndex | None  # None: there is no archive to search
    template: PromptTemplate
    store: Path  # folder of the answers
    stop: Callable[[], bool]


def build_systems(
    settings: EvaluateSettings, speakers: ModelClients, means: SystemResources
) -> list[EvalSystem]:
    """The systems in the order of the settings, few-shot once for each number of examples."""
    stores: dict[str, AnswerCache] = {}
    found = []
    for kind in settings.systems:
        speaker = _client(kind, speakers)
        for name, way in _strategies(kind, settings, means):
            if speaker is None:
                continue
            if speaker.key not in stores:
                stores[speaker.key] = AnswerCache(means.store, speaker.key)
            found.append(
                EvalSystem(
                    name, kind, way, speaker, stores[speaker.key], settings.max_tokens, means.stop
                )
            )
    return found


def items_for(kind: str, items: list[EvalItem]) -> list[EvalItem]:
    """The items that a kind of system is asked."""
    splits = (*FACT_SPLITS, *OTHER_SPLITS[kind])
    return [item for item in items if item.split in splits and (kind != "oracle" or item.gold)]


def likelihood_items(items: list[EvalItem]) -> list[EvalItem]:
    """Those whose references are weighed too."""
    return [item for item in items if item.split in (*FACT_SPLITS, "test_general")]


def _client(kind: str, speakers: ModelClients) -> ModelClient | None:
    if kind == "endpoint":
        return speakers.endpoint
    return speakers.tuned if kind.startswith("tuned") else speakers.base


def _strategies(
    kind: str, settings: EvaluateSettings, means: SystemResources
) -> list[tuple[str, PromptStrategy]]:
    """Names of systems with their ways of asking."""
    if kind == "few-shot":
        return [
            (f"{kind}-{count}", FewShotStrategy(means.examples, count)) for count in settings.shots
        ]
    if kind in ("rag", "tuned+rag"):
        if means.search is None:
            return []
        name = "base+rag" if kind == "rag" else kind
        return [(name, RagStrategy(means.search, means.template, settings.passages))]
    if kind == "oracle":
        return [(kind, OracleStrategy(means.template))] if means.search is not None else []
    return [(kind, ZeroShotStrategy())]
