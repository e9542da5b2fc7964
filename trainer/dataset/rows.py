"""One row of the dataset, and how it stands in a file.

The line is what mlx-lm's loader calls chat data (`messages`); the other keys are provenance,
which that loader and its neighbours leave alone. Every exporter is a pure function of a row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import orjson
from msgspec import to_builtins

from exchange.errors import BadFile, NotEnoughData, NotFound, UserError
from exchange.inference.engine import Message
from exchange.records import Chunk
from exchange.store.corpus import PairProvenance
from trainer import tokenization
from trainer.dataset.split import Split

MANIFEST = "manifest.json"
LEAKAGE = "leakage.json"  # beside the splits: the nearest taught row of every other one
CHUNKS = "chunks.jsonl"  # beside the splits: the text that the rows of train were made from
FORMAT = 2
_NO_FACTS = ("text", "replay", "refusal", "correction")  # kinds; a correction says what is wrong
BY_HAND = "accepted by hand"  # the label of a row whose pair a check had rejected
# What the rows of `valid` are, for people.
VALID_NAMES = {
    "rephrasings": "taught rows in other words",
    "stories": "stories never taught",
    "pairs": "pairs of taught stories, drawn at random",
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """Beside the dataset's files; the last one written, so that it describes a whole set."""

    archive: str
    version: int  # raised when the cut-off is moved: figures of two versions do not compare
    method: str  # "clusters", or "researcher": by pair, which leaks
    line: dict[str, Any]  # key, shares and cut-off; kept by later builds, so that nothing moves
    system: str
    input: dict[str, Any]  # hash of the pairs with their clusters, how many, rejected by reason
    left_out: dict[str, int]  # accepted pairs that are in no file, by reason
    mix: dict[str, Any]  # shares of kinds and lengths in train, beside what was asked for
    splits: dict[str, dict[str, Any]]  # rows, stories, clusters, characters, kinds
    leak: dict[str, Any]  # siblings of test rows in train, beside a random split's
    files: dict[str, dict[str, Any]]  # sha256, bytes
    warnings: list[str] = field(default_factory=list)
    format: int = FORMAT

    def to_json(self) -> bytes:
        """Indented for people."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @property
    def as_of(self) -> str:
        """The day up to which stories are taught, where a build was asked for one; else ""."""
        return str(self.line["cutoff"]) if self.line.get("dated") else ""

    @property
    def sha(self) -> str:
        """12 hex that name this dataset: equal when every file and every choice is equal."""
        return sha256(self.to_json()).hexdigest()[:12]

    @property
    def valid_kind(self) -> str:
        """What the rows of `valid` are, a key of `VALID_NAMES`: only "stories" are untaught."""
        if self.method == "researcher":
            return "pairs"
        return "stories" if self.line.get("valid") else "rephrasings"

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the manifest of a built dataset.

        Raises:
            UserError: there is none, or it is damaged or of another version.
        """
        path = directory / MANIFEST
        try:
            raw = orjson.loads(path.read_bytes())
            if raw["format"] != FORMAT:
                raise ValueError(f"format {raw['format']}, this version knows {FORMAT}")
            return cls(**raw)
        except FileNotFoundError:
            raise NotFound(f"no dataset in {directory}: run `kkoracle dataset build`") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadFile(
                f"{path} is unusable ({error}): delete it and run `kkoracle dataset build`"
            ) from None


@dataclass(frozen=True, slots=True)
class StoryOrigin:
    """Where a row's story was printed: its address, and its page's key in the raw store."""

    url: str = ""
    page: str = ""
    extraction: str = ""
    published: str = ""  # ISO date, "" when unknown
    section: str = ""
    title: str = ""
    paper: str = ""  # its archive, in a dataset of several


_NO_ORIGIN, _NOT_MADE = StoryOrigin(), PairProvenance()  # of rows that belong to no story


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A question with its answer, and where both came from."""

    id: str  # of the pair
    question: str
    answer: str
    kind: str
    story: str  # "" for rows that belong to no story
    cluster: str  # stories that share one are never in two splits
    task: str = ""
    chunks: tuple[str, ...] = ()
    system: str = ""
    rephrase_of: str = ""  # id of the pair whose question this one asks in other words
    label: str = ""  # "accept", "edited" or `BY_HAND` when a person looked at it
    score: float | None = None  # of the newest scorer
    origin: StoryOrigin = _NO_ORIGIN
    made: PairProvenance = _NOT_MADE

    @property
    def is_fact(self) -> bool:
        """The question asks for a fact of the newspaper, and the answer states it."""
        return self.kind not in _NO_FACTS

    def turns(self) -> list[Message]:
        """The conversation that is taught; the last turn is the answer."""
        return [*self.asked(), {"role": "assistant", "content": self.answer}]

    def asked(self) -> list[Message]:
        """The conversation up to the answer."""
        return tokenization.chat_messages(self.question, self.system)

    def to_line(self) -> bytes:
        """One line of JSON with its newline; equal rows are equal bytes."""
        fields: dict[str, Any] = {"messages": self.turns()}
        for name in _LINE_FIELDS:
            fields[name] = getattr(self, name)
        # Readers guess that these are times, and then an empty one is no time.
        fields["origin"] = _without_empty(self.origin, "published")
        if not self.origin.paper:
            del fields["origin"]["paper"]
        fields["made"] = _without_empty(self.made, "generated_at")
        return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_line(cls, line: bytes) -> DatasetRow:
        """Raises KeyError, ValueError or TypeError when the line is not one of ours."""
        raw = orjson.loads(line)
        turns = raw["messages"]
        system = turns[0]["content"] if turns[0]["role"] == "system" else ""
        kept = {name: raw[name] for name in _LINE_FIELDS}
        kept["chunks"] = tuple(kept["chunks"])
        kept["origin"] = StoryOrigin(**_with_empty(kept["origin"], "published"))
        kept["made"] = PairProvenance(**_with_empty(kept["made"], "generated_at"))
        return cls(
            question=turns[-2]["content"], answer=turns[-1]["content"], system=system, **kept
        )


_LINE_FIELDS = [
    field.name
    for field in dataclasses.fields(DatasetRow)
    if field.name not in ("question", "answer", "system")
]


def _without_empty(record: StoryOrigin | PairProvenance, name: str) -> dict[str, Any]:
    fields: dict[str, Any] = to_builtins(record)
    return {**fields, name: fields[name] or None}


def _with_empty(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {**fields, name: fields[name] or ""}


def describe_valid(directory: Path) -> str:
    """What the rows of a dataset's `valid` are, for people; where there is no dataset: no more."""
    try:
        return VALID_NAMES[Manifest.read(directory).valid_kind]
    except UserError:
        return "validation rows"


SplitRows = Mapping[Split, Sequence[DatasetRow]]


def read_split(directory: Path, split: Split) -> list[DatasetRow]:
    """The rows of a built dataset, checked against its manifest.

    Raises:
        UserError: no dataset, an empty split, or files that are not those the manifest names.
    """
    manifest = Manifest.read(directory)
    path = directory / f"{split}.jsonl"
    if path.name not in manifest.files:
        raise NotFound(
            f"the dataset in {directory} has no {split}: it holds {', '.join(manifest.splits)}"
        )
    data = _checked(path, manifest.files[path.name])
    rows = list(parse_rows(path, data))
    if not rows:
        raise NotEnoughData(f"{path} holds no rows: build the dataset from more accepted pairs")
    return rows


def read_chunks(directory: Path) -> dict[str, Chunk]:
    """The chunks of the rows of train, by id; none where the rows came without an archive.

    Raises:
        UserError: no dataset, or the file is not the one that the manifest names.
    """
    described = Manifest.read(directory).files.get(CHUNKS)
    if described is None:
        return {}
    chunks = map(Chunk.from_json, _checked(directory / CHUNKS, described).splitlines())
    return {chunk.id: chunk for chunk in chunks}


def _checked(path: Path, described: Mapping[str, Any]) -> bytes:
    try:
        data = path.read_bytes()
    except OSError:
        raise NotFound(f"{path} is missing: run `kkoracle dataset build` again") from None
    if sha256(data).hexdigest() != described["sha256"]:
        raise BadFile(
            f"{path} is not the file its manifest describes (edited, or a build was cut short): "
            "run `kkoracle dataset build` again"
        )
    return data


def parse_rows(path: Path, data: bytes) -> Iterator[DatasetRow]:
    """The rows of a file of ours.

    Raises:
        UserError: a line is none, with its number.
    """
    for number, line in enumerate(data.splitlines(), 1):
        try:
            yield DatasetRow.from_line(line)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise BadFile(f"{path} line {number} is no row of ours: {error!r}") from None
