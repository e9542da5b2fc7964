"""The systems of one evaluation: made from the settings, and asked, each model loaded once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exchange.recipes.prompts import PromptTemplate
from trainer.console import StageProgress
from trainer.evaluate.metrics import Likelihoods
from trainer.evaluate.rag import SearchIndex
from trainer.evaluate.records import FACT_SPLITS, EvalAnswer, EvalItem
from trainer.evaluate.settings import FEW_SHOT, EvaluateSettings
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
    "tuned+abstain": ("absent", "disturbed", "test_general"),
    "scaled": ("absent", "test_general"),
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
    scaled: Mapping[str, ModelClient] = field(default_factory=dict)  # at part of its strength


@dataclass(frozen=True, slots=True)
class SystemResources:
    """What the ways of asking need."""

    examples: SearchIndex
    search: SearchIndex | None  # None: there is no archive to search
    template: PromptTemplate
    store: Path  # folder of the answers
    stop: Callable[[], bool]


def build_systems(
    settings: EvaluateSettings, clients: ModelClients, means: SystemResources
) -> list[EvalSystem]:
    """The systems in the order of the settings, few-shot once for each number of examples.

    The adapter in part comes last, where the whole one is asked.
    """
    stores: dict[str, AnswerCache] = {}
    found: list[EvalSystem] = []
    asked = [
        (_kind(wanted), name, strategy, _client(_kind(wanted), clients))
        for wanted in settings.systems
        for name, strategy in _strategies(wanted, settings, means)
    ]
    if "tuned" in settings.systems:
        asked += [
            ("scaled", name, ZeroShotStrategy(), client) for name, client in clients.scaled.items()
        ]
    for kind, name, strategy, client in asked:
        if client is not None and name not in {system.name for system in found}:
            if client.key not in stores:
                stores[client.key] = AnswerCache(means.store, client.key)
            found.append(
                EvalSystem(
                    name,
                    kind,
                    strategy,
                    client,
                    stores[client.key],
                    settings.max_tokens,
                    means.stop,
                )
            )
    return found


def _kind(wanted: str) -> str:
    return "few-shot" if FEW_SHOT.fullmatch(wanted) else wanted


def items_for(kind: str, items: list[EvalItem]) -> list[EvalItem]:
    """The items that a kind of system is asked."""
    splits = (*FACT_SPLITS, *OTHER_SPLITS[kind])
    return [item for item in items if item.split in splits and (kind != "oracle" or item.gold)]


def likelihood_items(items: list[EvalItem]) -> list[EvalItem]:
    """Those whose references are weighed too."""
    return [item for item in items if item.split in (*FACT_SPLITS, "test_general")]


def _client(kind: str, clients: ModelClients) -> ModelClient | None:
    if kind == "endpoint":
        return clients.endpoint
    return clients.tuned if kind.startswith("tuned") else clients.base


def _strategies(
    kind: str, settings: EvaluateSettings, means: SystemResources
) -> list[tuple[str, PromptStrategy]]:
    """Names of systems with their ways of asking."""
    one = FEW_SHOT.fullmatch(kind)
    if one or kind == "few-shot":
        return [
            (f"few-shot-{count}", FewShotStrategy(means.examples, count))
            for count in ([int(one[1])] if one else settings.shots)
        ]
    if kind in ("rag", "tuned+rag"):
        if means.search is None:
            return []
        name = "base+rag" if kind == "rag" else kind
        return [(name, RagStrategy(means.search, means.template, settings.passages))]
    if kind == "oracle":
        return [(kind, OracleStrategy(means.template))] if means.search is not None else []
    return [(kind, ZeroShotStrategy())]


def answer_all(
    systems: Sequence[EvalSystem],
    items: list[EvalItem],
    note: Callable[[str], None],
    report: StageProgress,
) -> tuple[dict[str, dict[str, EvalAnswer]], dict[str, Likelihoods]]:
    """Answers and likelihoods by system and item, those that are missing computed now."""
    answers: dict[str, dict[str, EvalAnswer]] = {}
    weights: dict[str, Likelihoods] = {}
    order = sorted(systems, key=lambda system: system.client.key)  # each is loaded once
    asked = {system.name: items_for(system.kind, items) for system in order}
    missing = {
        system.name: system.missing(asked[system.name], likelihood_items(asked[system.name]))
        for system in order
    }
    answering = _ProgressCounter(
        "answers", len(set().union(*(some for some, _ in missing.values()))), report
    )
    weighing = _ProgressCounter(
        "likelihoods", len(set().union(*(some for _, some in missing.values()))), report
    )
    for system in order:
        wanted = asked[system.name]
        if any(missing[system.name]):
            note(f"asking {system.name}: {system.record().about}")
        given = system.answer(wanted, answering.one)
        answers[system.name] = {answer.item: answer for answer in given}
        weights[system.name] = system.loglikelihood(likelihood_items(wanted), weighing.one)
    return (
        {system.name: answers[system.name] for system in systems},
        {system.name: weights[system.name] for system in systems},
    )


class _ProgressCounter:
    """One bar over all systems."""

    def __init__(self, what: str, total: int, report: StageProgress) -> None:
        self._what, self._total, self._report = what, total, report
        self._done = 0

    def one(self) -> None:
        self._done += 1
        self._report(self._what, self._done, self._total)
