"""What is asked closed book: wordings never trained on, each with three near wrong answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from bench.demo.results import DemoResults, folded_words, wordings
from bench.registry import Figures
from kkoracle.demo.newspaper import PrintedFact
from trainer.dataset import DatasetRow, Manifest, read_split
from trainer.dataset.build import FOLDER
from trainer.dataset.split import Split
from trainer.evaluate.items import distractors

TAUGHT: Split = "train"
HELD_OUT: Split = "test_unseen"


@dataclass(frozen=True, slots=True)
class TaughtFact:
    """A fact with a right pair in a split."""

    cluster: str
    fact: PrintedFact


@dataclass(frozen=True, slots=True)
class ClosedBookQuestion:
    """One question: `answers[0]` is true, the others belong to other stories."""

    split: Split
    cluster: str
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClosedBookTest:
    """All items, and how many questions have too few distinct answers to be held against."""

    items: tuple[ClosedBookQuestion, ...]
    left_out: int
    facts: dict[Split, int]
    clusters: dict[str, int]  # of the dataset, by split
    system: str

    def without(self, asked: Set[str]) -> ClosedBookTest:
        """The same but for the questions of these folded words."""
        items = tuple(one for one in self.items if folded_words(one.question) not in asked)
        return replace(self, items=items)

    def figures(self) -> Figures:
        """The counts."""
        return {
            "clusters_trained": self.clusters[TAUGHT],
            "clusters_held_out": self.clusters[HELD_OUT],
            **self._asked("recall", TAUGHT),
            **self._asked("unseen", HELD_OUT),
            "questions_left_out": self.left_out,
        }

    def _asked(self, name: str, split: Split) -> Figures:
        items = [item for item in self.items if item.split == split]
        return {
            f"{name}_facts": self.facts[split],
            f"{name}_questions": len(items),
            f"{name}_clusters": len({item.cluster for item in items}),
        }


def read(printed: DemoResults) -> ClosedBookTest:
    """The questions that a demo's dataset allows."""
    folder = printed.archive / FOLDER
    manifest = Manifest.read(folder)
    accepted = {pair.id: pair for pair in printed.accepted}
    rows: dict[Split, list[DatasetRow]] = {
        name: read_split(folder, name) for name in (TAUGHT, HELD_OUT)
    }
    asked = {folded_words(row.question) for row in rows[TAUGHT]}
    items: list[ClosedBookQuestion] = []
    left_out = 0
    facts: dict[Split, int] = {}
    for split, found in rows.items():
        taken: dict[tuple[str, str], TaughtFact] = {}
        for row in found:
            pair = accepted.get(row.id)  # None: a further wording of one
            fact = printed.right(pair) if pair else None
            if fact:
                taken[row.cluster, fact.sentence] = TaughtFact(row.cluster, fact)
        facts[split] = len(taken)
        by_frame: dict[str, list[TaughtFact]] = defaultdict(list)
        for one in taken.values():
            by_frame[one.fact.frame].append(one)
        for one in taken.values():
            for question in one.fact.rephrasings:
                if folded_words(question) in asked:
                    continue
                wrong = nearest(one, question, by_frame[one.fact.frame])
                if not wrong:
                    left_out += 1
                else:
                    items.append(
                        ClosedBookQuestion(split, one.cluster, question, (one.fact.answer, *wrong))
                    )
    clusters = {name: int(about["clusters"]) for name, about in manifest.splits.items()}
    return ClosedBookTest(tuple(items), left_out, facts, clusters, manifest.system)


def nearest(one: TaughtFact, question: str, others: Sequence[TaughtFact]) -> tuple[str, ...]:
    """Answers to the questions of other clusters that share most words; no two alike."""
    said = set(folded_words(question).split())

    def likeness(other: TaughtFact) -> float:
        theirs = [set(wording.split()) for wording in wordings(other.fact)]
        return max(len(said & words) / len(said | words) for words in theirs)

    ranked = sorted(others, key=lambda other: (-likeness(other), other.fact.question))
    return distractors.pick_distractors(
        one.fact.answer, (other.fact.answer for other in ranked if other.cluster != one.cluster)
    )
