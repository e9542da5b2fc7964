"""The records that pass between the stages: frozen, checked as they are read, JSON in and out.

This module knows nothing about where a record is stored or who made it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Annotated, Any, Literal, Self, get_args

import msgspec
from msgspec import Meta, Struct

from exchange.errors import BadRecord
from exchange.text.fold import fold

ID_BYTES = 12  # 96 bits: a collision among 10^9 ids has a chance of about 10^-11
ARCHIVE_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
TASK_PATTERN = re.compile(r"[0-9a-f]{24}")
LANGUAGE_PATTERN = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")

TaskKind = Literal["chunk", "dense", "whois", "rephrase", "refusal", "replay"]
# Why a rephrasing is rejected that asks the same in nearly the same words: it tests nothing.
TOO_ALIKE = "rephrase-alike"
PairKind = Literal[
    "fact",
    "person",
    "place",
    "time",
    "quantity",
    "cause",
    "summary",
    "timeline",
    "correction",
    "refusal",
    "replay",
]
# Why a task ended without a pair. An endpoint's refusal is told by the status of its answer.
NO_PAIR = "no-pair"
TOO_SLOW = "too-slow"  # the deadline came before the first pair
ONLY_THOUGHT = "only-thought"  # the model thought until its tokens were spent
TOO_LONG = "too-long"  # for the model's context, or what came of it for Redis
POISON = "poison"  # it killed its worker again and again
BAD_INPUT = "bad-input"  # what stands in Redis is no task
MAX_RESULT_BYTES = 1 << 20  # of a result or an input in Redis; most have some five thousand
_FAILURES = (NO_PAIR, TOO_SLOW, ONLY_THOUGHT, TOO_LONG, POISON, BAD_INPUT)
FAILURE_PATTERN = re.compile("|".join(_FAILURES) + r"|endpoint-(?:error|bad-reply|[1-9]\d\d)")

ArchiveName = Annotated[str, Meta(pattern=rf"\A{ARCHIVE_PATTERN.pattern}\Z")]
TaskId = Annotated[str, Meta(pattern=rf"\A{TASK_PATTERN.pattern}\Z")]
LanguageCode = Annotated[str, Meta(pattern=rf"\A{LANGUAGE_PATTERN.pattern}\Z")]


def digest(*parts: str, size: int = ID_BYTES) -> str:
    """Hex of blake2b over the parts, each closed by a NUL so that parts cannot run together."""
    h = blake2b(digest_size=size)
    for part in parts:
        h.update(part.encode("utf-8", "surrogatepass"))
        h.update(b"\0")
    return h.hexdigest()


class Record(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all records: JSON bytes out, checked JSON in."""

    def to_json(self) -> bytes:
        """Compact JSON, fields in declared order, so that equal records are equal bytes."""
        return msgspec.json.encode(self)

    def to_dict(self) -> dict[str, Any]:
        """Names and plain values, those of the records inside it too."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def replace(self, **changes: Any) -> Self:
        """A copy with other values in some fields; unlike what is read, they are not checked."""
        return msgspec.structs.replace(self, **changes)

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read one record.

        Raises:
            BadRecord: not JSON, not an object, an unknown or missing field, a wrong type or value.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.ValidationError as error:
            raise _bad_record(cls, error) from None
        except msgspec.DecodeError as error:
            raise BadRecord(f"{cls.__name__}: not JSON ({error})") from None

    @classmethod
    def from_dict(cls, raw: Any) -> Self:
        """Like `from_json`, from an object that is parsed already."""
        try:
            return msgspec.convert(raw, type=cls)
        except msgspec.ValidationError as error:
            raise _bad_record(cls, error) from None


def _bad_record(cls: type[Record], error: msgspec.ValidationError) -> BadRecord:
    """Our words for the library's: fields are named without the signs of its path language."""
    return BadRecord(f"{cls.__name__}: {error}".replace("`$.", "`").replace("`", "'"))


class Story(Record, frozen=True, kw_only=True):
    """One story of the archive, its text cleaned: paragraphs joined by a blank line."""

    id: str
    url: str
    archive: str
    published: str  # ISO date, "" when unknown
    section: str
    title: str
    author: str
    text: str
    words_expected: int | None = None  # what the site itself prints, where it does
    cluster: str = ""  # near-duplicates share one; "" means the story is its own cluster
    low_confidence: bool = False  # extracted without a profile's selectors
    marks: tuple[str, ...] = ()  # what the quality gates say, see `exchange.records`


class Chunk(Record, frozen=True):
    """Whole sentences of one story, about as long as the profile asks."""

    id: str
    story_id: str
    index: int
    text: str
    header: str  # newspaper, date, title: one line

    @staticmethod
    def make_id(story_id: str, text: str) -> str:
        """By content, so that an inserted paragraph does not rename its neighbours."""
        return digest(story_id, fold(text))

    def packed(self) -> PackedChunk:
        """As it is stored."""
        return PackedChunk(self.id, self.story_id, self.index, len(self.text), self.to_json())


class PackedChunk(Struct, frozen=True, array_like=True):
    """A chunk as it is stored: whoever only hands it on need neither read nor write its text."""

    id: str
    story_id: str
    index: int
    length: int  # characters of the text
    record: bytes  # `Chunk.to_json`

    def packed(self) -> PackedChunk:
        """Itself."""
        return self


class Task(Record, frozen=True, kw_only=True):
    """What one job does, and all a worker needs to do it."""

    id: TaskId
    archive: ArchiveName
    kind: TaskKind
    chunk_ids: tuple[str, ...]
    recipe: str
    text: str
    header: str
    language: LanguageCode = "el"  # of the newspaper: picks the prompt and the rules
    given: dict[str, str] = msgspec.field(default_factory=dict)  # what the kind needs besides

    def __post_init__(self) -> None:
        """Raises ValueError for what no planner makes."""
        if self.kind in ("rephrase", "refusal") and "question" not in self.given:
            raise ValueError(f"a {self.kind} task without the question it is made from")
        if self.kind == "rephrase" and self.given.get("kind", "fact") not in get_args(PairKind):
            raise ValueError("a rephrase task of an unknown kind of pair")

    @staticmethod
    def make_id(kind: str, subjects: tuple[str, ...], recipe: str) -> str:
        return digest(kind, *subjects, recipe)


class Completion(Record, frozen=True, kw_only=True):
    """The model's raw words for one task, and how they came to be."""

    task_id: str
    text: str
    finish_reason: str  # "stop", "length", "deadline"
    tokens_in: int
    tokens_out: int
    seconds: float
    model: str
    quantisation: str
    engine: str
    prompt: str
    prompt_sha: str
    seed: int
    generated_at: str


class Pair(Record, frozen=True, kw_only=True):
    """One question with its answer; a rejected one keeps its reason code and is never deleted."""

    id: str
    task_id: str
    chunk_ids: tuple[str, ...]
    question: str
    answer: str
    kind: PairKind
    status: Literal["accepted", "rejected"]
    reason: str = ""
    rules: str = ""  # version of the rule set that judged it
    rephrase_of: str = ""
    duplicate_of: str = ""  # the pair that was kept, of one rejected as `duplicate`
    scores: dict[str, float] = msgspec.field(default_factory=dict)
    quote: str = ""  # the sentence of the chunk that supports it, found by the checks

    @staticmethod
    def make_id(task_id: str, question: str, answer: str) -> str:
        return digest(task_id, question, answer)


class Result(Record, frozen=True):
    """What a worker stores for one task: the completion and its judged pairs, or a failure."""

    task_id: TaskId
    archive: ArchiveName
    failed: str = ""  # a reason code; "" when the task is done
    completion: Completion | None = None
    pairs: tuple[Pair, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for what no worker makes."""
        if not self.failed and self.completion is None:
            raise ValueError("neither a completion nor a failure")
        others = {pair.task_id for pair in self.pairs}
        if self.completion is not None:
            others.add(self.completion.task_id)
        if others - {self.task_id}:
            raise ValueError("the completion or a pair belongs to another task")

    @classmethod
    def of(
        cls, completion: Completion, archive: str, pairs: tuple[Pair, ...], failed: str = ""
    ) -> Result:
        """The result of a task that was generated; `failed` when no pair came of it."""
        return Result(completion.task_id, archive, failed, completion, pairs)


# What a quality gate may say of a story: the codes, and which of them hold its text back.
#
# A marked story stays, with its text; nothing is deleted because it was bad. The chunks of one that
# is held back are `stale`, so that no task asks about them, until the mark goes.

# code -> what it means, for people
MARKS = {
    "low-confidence": "found without a profile's selectors",
    "broken-characters": "replacement characters: the page was read in a wrong charset",
    "other-language": "too few letters of the newspaper's own script",
    "words-missing": "fewer words than the newspaper itself counts",
    "words-extra": "more words than the newspaper itself counts",
    "date-differs": "index and page do not agree on the date",
    "instruction": "tells a language model what to do: pairs that obey it are rejected",
    "parts-missing": "a further page of the story could not be had",
    "boilerplate": "most of it stands on many other pages too",
    "teaser": "leads to a story that stands elsewhere in full",
    "edition": "all but a little of it stands in another story",
    "duplicate": "word for word an earlier story",
}
WITHHELD = frozenset(
    {"broken-characters", "other-language", "boilerplate", "teaser", "edition", "duplicate"}
)


def is_withheld(marks: Iterable[str]) -> bool:
    """True when a story with these marks gives no tasks."""
    return not WITHHELD.isdisjoint(marks)
