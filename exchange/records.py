"""The records that pass between the stages: frozen, orjson in and out.

This module knows nothing about where a record is stored or who made it.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from hashlib import blake2b
from typing import Any, Literal, Self, cast, get_type_hints

import orjson

from exchange.errors import BadRecord
from exchange.text.fold import fold

ID_BYTES = 12  # 96 bits: a collision among 10^9 ids has a chance of about 10^-11

TaskKind = Literal["chunk", "dense", "whois", "rephrase", "refusal", "replay"]
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


_FieldSpec = tuple[str, Any, bool]  # its name, its type, and whether it must be there


def digest(*parts: str, size: int = ID_BYTES) -> str:
    """Hex of blake2b over the parts, each closed by a NUL so that parts cannot run together."""
    h = blake2b(digest_size=size)
    for part in parts:
        h.update(part.encode("utf-8", "surrogatepass"))
        h.update(b"\0")
    return h.hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """Base of all records: JSON bytes out, checked JSON in."""

    def to_json(self) -> bytes:
        """Compact JSON, fields in declared order, so that equal records are equal bytes."""
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Read one record.

        Raises:
            BadRecord: not JSON, not an object, an unknown or missing field, a wrong type.
        """
        try:
            raw = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise BadRecord(f"{cls.__name__}: not JSON ({error})") from None
        return cls.from_dict(raw)

    @classmethod
    def from_dict(cls, raw: Any) -> Self:
        """Like `from_json`, from an object that is parsed already."""
        if not isinstance(raw, dict):
            raise BadRecord(f"{cls.__name__}: expected an object, got {type(raw).__name__}")
        values: dict[str, Any] = {}
        shape: tuple[_FieldSpec, ...] = _fields_of(cls)  # type: ignore[arg-type]  # classes are hashable
        for name, hint, required in shape:
            if name in raw:
                value = raw[name]
                values[name] = value if type(value) is hint else _coerce(cls, name, hint, value)
            elif required:
                raise BadRecord(f"{cls.__name__}: field {name!r} is missing")
        if len(values) < len(raw):
            raise BadRecord(f"{cls.__name__}: unknown field {min(raw.keys() - values.keys())!r}")
        return cls(**values)


@cache
def _fields_of(cls: type) -> tuple[_FieldSpec, ...]:
    """The fields in order. Resolving annotations takes longer than everything else here."""
    hints = get_type_hints(cls)
    missing = dataclasses.MISSING
    return tuple(
        (
            field.name,
            hints[field.name],
            field.default is missing and field.default_factory is missing,
        )
        for field in dataclasses.fields(cls)
    )


def _coerce(cls: type, name: str, hint: Any, value: Any) -> Any:
    """Check `value` against the few shapes that our records use; tuples come as JSON lists."""
    origin = getattr(hint, "__origin__", None)
    if origin is Literal:
        fits = value in hint.__args__
    elif origin is tuple:
        fits = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        value = tuple(value) if fits else value
    elif origin in (dict, list):
        fits = isinstance(value, origin)
    elif hint is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif isinstance(hint, type):
        fits = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
    else:  # an optional, written `int | None`
        fits = isinstance(value, hint)
    if not fits:
        kind = type(value).__name__
        raise BadRecord(f"{cls.__name__}: field {name!r} does not fit: {kind}")
    return value


@dataclasses.dataclass(frozen=True, slots=True)
class Story(Record):
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
    marks: tuple[str, ...] = ()  # what the quality gates say, see `exchange.store.marks`


@dataclasses.dataclass(frozen=True, slots=True)
class Chunk(Record):
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


@dataclasses.dataclass(frozen=True, slots=True)
class Task(Record):
    """What one job does, and all a worker needs to do it."""

    id: str
    archive: str
    kind: TaskKind
    chunk_ids: tuple[str, ...]
    recipe: str
    text: str
    header: str
    language: str = "el"  # of the newspaper: picks the prompt and the rules
    given: dict[str, str] = dataclasses.field(default_factory=dict)  # what the kind needs besides

    @staticmethod
    def make_id(kind: str, subjects: tuple[str, ...], recipe: str) -> str:
        return digest(kind, *subjects, recipe)


@dataclasses.dataclass(frozen=True, slots=True)
class Completion(Record):
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


@dataclasses.dataclass(frozen=True, slots=True)
class Pair(Record):
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
    scores: dict[str, float] = dataclasses.field(default_factory=dict)

    @staticmethod
    def make_id(task_id: str, question: str, answer: str) -> str:
        return digest(task_id, question, answer)


@dataclasses.dataclass(frozen=True, slots=True)
class Result(Record):
    """What a worker stores for one task: the completion and its judged pairs, or a failure."""

    task_id: str
    archive: str
    failed: str = ""  # a reason code; "" when the task is done
    completion: dict[str, Any] | None = None
    pairs: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(
        cls, completion: Completion, archive: str, pairs: tuple[Pair, ...], failed: str = ""
    ) -> Result:
        """The result of a task that was generated; `failed` when no pair came of it."""
        return Result(
            completion.task_id,
            archive,
            failed,
            dataclasses.asdict(completion),
            tuple(dataclasses.asdict(pair) for pair in pairs),
        )

    @classmethod
    def from_dict(cls, raw: Any) -> Self:
        """Checked like any record, and the completion and pairs inside it too."""
        if not isinstance(raw, dict) or not isinstance(raw.get("pairs", []), list):
            raise BadRecord("Result: expected an object with a list of pairs")
        pairs = tuple(
            cast(dict[str, Any], orjson.loads(Pair.from_dict(p).to_json()))
            for p in raw.get("pairs", [])
        )
        completion = raw.get("completion")
        if completion is not None:
            Completion.from_dict(completion)
        for name in ("task_id", "archive"):
            if not isinstance(raw.get(name), str):
                raise BadRecord(f"Result: field {name!r} is missing or no string")
        failed = raw.get("failed", "")
        if not isinstance(failed, str):
            raise BadRecord("Result: field 'failed' does not fit")
        if not failed and completion is None:
            raise BadRecord("Result: neither a completion nor a failure")
        return cls(raw["task_id"], raw["archive"], failed, completion, pairs)
