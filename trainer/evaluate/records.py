"""What an evaluation leaves on the disk; statistics, report and gate read only this.

    runs/NAME/evaluation/
        evaluation.json        About: what was asked of whom with what; written last
        items.jsonl            Item, one line a question
        answers/SYSTEM.jsonl   Answer, one line an item that this system was asked
        scores/METRIC.jsonl    Score, one line a system and item that the metric looks at
        judge.json             Audit, if there was a judge
        judge.jsonl            Preference, one line an item and two systems

A folder without evaluation.json is an evaluation that has not ended. Figures of two systems are
compared over the items at which both have a value; `Item.cluster` says which items belong
together. A value of None is "n/a": the metric looks at the item, and this system gives it nothing
to measure (an endpoint without likelihoods), so it counts neither as right nor as wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import msgspec

from exchange.errors import BadFile, BadRecord, CannotWrite, NotFound
from exchange.files import write_atomic
from exchange.records import Record

ABOUT, ITEMS, ANSWERS, SCORES = "evaluation.json", "items.jsonl", "answers", "scores"
AUDIT, PREFERENCES = "judge.json", "judge.jsonl"
FORMAT = 1
NAME = re.compile(r"[a-z0-9][a-z0-9+._-]{0,63}")  # of systems and metrics: they name files

Better = Literal["higher", "lower", "neither"]
FACT_SPLITS = ("test_recall", "test_unseen")  # the splits that ask about the newspaper
BEFORE, AFTER = "before", "after"  # an item's period


class EvalItem(Record, frozen=True):
    """One question with all that it is measured against."""

    id: str
    split: str  # test_recall, test_unseen, test_general; disturbed; absent: not in the archive
    question: str
    reference: str  # "" where the right thing is to abstain
    cluster: str  # items of one are no independent draws
    system: str = ""  # the system message put before the question
    kind: str = ""  # of the pair: fact, person, time ...
    gold: str = ""  # the text that the pair was made from, "" when it is not there
    header: str = ""  # its newspaper, date and title
    url: str = ""
    distractors: tuple[str, ...] = ()  # answers to the nearest questions of other clusters
    slices: dict[str, str] = msgspec.field(default_factory=dict)  # section, year, period ...
    variant: str = ""  # how the question was changed: bare, capitals, typos; "" for unchanged
    variant_of: str = ""  # id of the unchanged item
    language: str = "el"  # of the newspaper: how its numbers and dates are read


class EvalAnswer(Record, frozen=True):
    """What one system said to one item, and what it took."""

    item: str
    text: str
    tokens_in: int
    tokens_out: int
    seconds: float  # its share of the batch it was computed in
    finish_reason: str  # "stop", "length", or "error" with the reason in `error`
    error: str = ""
    sources: tuple[str, ...] = ()  # ids of the chunks that were shown
    likelihood: float | None = None  # its mean log-probability a token, where that was asked
    withheld: str = ""  # what it would have said, had it been sure enough


class ItemScore(Record, frozen=True):
    """What one metric says about one answer; None is "n/a"."""

    system: str
    item: str
    value: float | None
    confidence: float | None = None  # how sure the system was, 0 to 1, where the metric knows it


class SystemInfo(Record, frozen=True):
    """One of those that were asked."""

    name: str
    key: str  # hash of everything its answers depend on
    about: str  # one line for people
    likelihood: bool  # it can say how probable a given answer is
    kind: str = "other"  # base, few-shot, rag, tuned ...: what the verdict weighs


class MetricInfo(Record, frozen=True):
    """One thing that is measured; the mean of its values over items is the figure."""

    name: str
    signature: str  # how it was made, in one line: name|option:value|...|v:1
    about: str  # one sentence for people
    unit: str  # "share", "bits per character", "ratio", "0-100"
    better: Better
    splits: tuple[str, ...]  # whose items it looks at
    primary: bool = False  # belongs to the declared set that verdict and Holm's correction use


class Preference(Record, frozen=True):
    """What the judge said about two answers to one item, asked in both orders."""

    item: str
    one: str  # system
    other: str
    first: float  # probability given to `one`, 0 to 1, when it stood first
    second: float  # the same when it stood second
    value: float  # 1 `one` is better in both orders, 0 `other` is, 0.5 neither


class FaultCount(Record, frozen=True):
    """One kind of planted fault: right answers against the same with the fault in it."""

    name: str
    asked: int
    caught: int  # the right answer was preferred in both orders


class JudgeAudit(Record, frozen=True):
    """Whether the judge may be believed; its figures are shown only when it `passed`."""

    judge: str
    signature: str
    passed: bool
    reason: str  # why not, "" when it passed
    first_share: float  # how often what stood first was preferred; 0.5 is fair
    faults: list[dict[str, Any]]  # of `FaultCount`
    human: dict[str, Any] = msgspec.field(
        default_factory=dict
    )  # agreement with a human sample, if any


class EvaluationInfo(Record, frozen=True):
    """What was asked of whom with what, so that it can be done again."""

    archive: str
    run: str
    checkpoint: str
    model: str
    model_sha: str
    adapter: str  # sha of its weights, "" when nothing was tuned
    dataset: str  # the manifest's sha
    corpus: str  # hash of the chunks that were searched
    settings: dict[str, Any]
    systems: list[dict[str, Any]]  # of `System`, in the order to be shown
    metrics: list[dict[str, Any]]  # of `Metric`
    coverage: dict[str, int]  # stories, chunks, chunks with a pair, chunks taught
    command: str
    started: str  # ISO time
    seconds: float  # of this command; answers taken from the cache took none of it
    warnings: list[str] = msgspec.field(default_factory=list)
    as_of: str = ""  # ISO day: what was printed later was not taught; "" for no such day
    format: int = FORMAT


@dataclass(slots=True)
class Evaluation:
    """A whole evaluation in memory."""

    about: EvaluationInfo
    items: dict[str, EvalItem]
    answers: dict[str, dict[str, EvalAnswer]]  # by system, then item
    scores: dict[str, dict[str, dict[str, float | None]]]  # by metric, system, item
    confidences: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)  # as scores
    audit: JudgeAudit | None = None
    preferences: list[Preference] = field(default_factory=list)

    @property
    def systems(self) -> list[SystemInfo]:
        """In the order to be shown."""
        return [SystemInfo.from_dict(raw) for raw in self.about.systems]

    @property
    def metrics(self) -> list[MetricInfo]:
        """In the order to be shown; the first one is the main one."""
        return [MetricInfo.from_dict(raw) for raw in self.about.metrics]

    def paired(
        self, metric: str, one: str, other: str, split: str = ""
    ) -> tuple[list[float], list[float], list[str]]:
        """The values of two systems and the clusters, over the items at which both have one.

        Args:
            split: only items of this split; "" for all that the metric looks at.
        """
        found = self.scores.get(metric, {})
        mine, theirs = found.get(one, {}), found.get(other, {})
        left: list[float] = []
        right: list[float] = []
        clusters: list[str] = []
        for name, item in self.items.items():
            a, b = mine.get(name), theirs.get(name)
            if a is not None and b is not None and split in ("", item.split):
                left.append(a)
                right.append(b)
                clusters.append(item.cluster)
        return left, right, clusters

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a finished evaluation.

        Raises:
            UserError: there is none, it has not ended, or a file of it is damaged.
        """
        if not (folder / ABOUT).exists():
            raise NotFound(f"no finished evaluation in {folder}: run `kkoracle evaluate`")
        about = next(_records(folder / ABOUT, EvaluationInfo), None)
        if about is None or about.format != FORMAT:
            raise BadFile(f"{folder / ABOUT} is of another version: run `kkoracle evaluate`")
        scores: dict[str, dict[str, dict[str, float | None]]] = {}
        confidences: dict[str, dict[str, dict[str, float]]] = {}
        for raw in about.metrics:
            name = MetricInfo.from_dict(raw).name
            by_system = scores.setdefault(name, {})
            for score in _records(folder / SCORES / f"{name}.jsonl", ItemScore):
                by_system.setdefault(score.system, {})[score.item] = score.value
                if score.confidence is not None:
                    sure = confidences.setdefault(name, {}).setdefault(score.system, {})
                    sure[score.item] = score.confidence
        names = [SystemInfo.from_dict(raw).name for raw in about.systems]
        return cls(
            about,
            {item.id: item for item in _records(folder / ITEMS, EvalItem)},
            {
                name: {
                    answer.item: answer
                    for answer in _records(folder / ANSWERS / f"{name}.jsonl", EvalAnswer)
                }
                for name in names
            },
            scores,
            confidences,
            next(_records(folder / AUDIT, JudgeAudit), None),
            list(_records(folder / PREFERENCES, Preference)),
        )

    def write(self, folder: Path) -> None:
        """Replace what stands in the folder; `evaluation.json` goes first and comes back last.

        Raises:
            UserError: the folder cannot be written, or the disk is full.
        """
        try:
            (folder / ABOUT).unlink(missing_ok=True)
            write_records(folder / ITEMS, self.items.values())
            for system, answers in self.answers.items():
                write_records(folder / ANSWERS / f"{system}.jsonl", answers.values())
            for metric, by_system in self.scores.items():
                sure = self.confidences.get(metric, {})
                write_records(
                    folder / SCORES / f"{metric}.jsonl",
                    (
                        ItemScore(system, item, value, sure.get(system, {}).get(item))
                        for system, values in by_system.items()
                        for item, value in values.items()
                    ),
                )
            write_records(folder / AUDIT, [self.audit] if self.audit else [])
            write_records(folder / PREFERENCES, self.preferences)
            write_records(folder / ABOUT, [self.about])
        except OSError as error:
            raise CannotWrite(f"cannot write {folder}: {error.strerror}") from None


def write_records(path: Path, records: Iterable[Record]) -> None:
    """One JSON line a record; the file is whole or as it was. No record: no file."""
    data = b"".join(record.to_json() + b"\n" for record in records)
    if not data:
        path.unlink(missing_ok=True)
        return
    write_atomic(path, data)


R = TypeVar("R", bound=Record)


def _records(path: Path, kind: type[R]) -> Iterator[R]:
    """The records of a file; none where there is no file."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            yield kind.from_json(line)
        except BadRecord as error:
            raise BadFile(f"{path} line {number}: {error}; run `kkoracle evaluate` again") from None


def as_dicts(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Records as they stand inside another one."""
    return [record.to_dict() for record in records]
