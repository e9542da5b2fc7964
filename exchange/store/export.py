"""Finished JSONL of an archive: what `kkoracle export` writes and others read without our files.

A folder of `stories.jsonl`, `chunks.jsonl`, `pairs.jsonl`, `judgements.jsonl` and `export.json`;
the last is written last and holds the hash of every other file, so a half copied folder is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import orjson

from exchange.errors import BadFile, BadRecord, NotFound
from exchange.files import atomic_path, sha256_of, write_atomic, write_error, write_hashed
from exchange.records import Chunk, Pair, Story
from exchange.store.corpus import Corpus, Judgements, PairProvenance, StoredPair, StoredStory
from exchange.store.review import Label

FILE = "export.json"
FORMAT = 1


def write_export(
    corpus: Corpus, folder: Path, progress: Callable[[str, int], None] = lambda name, done: None
) -> dict[str, int]:
    """Write an open corpus to a folder; an export that stands there is replaced file by file.

    Returns:
        Lines by file.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    lines: dict[str, Iterator[Any]] = {
        "stories.jsonl": corpus.stories(),
        "chunks.jsonl": corpus.chunks(),
        "chunk-stories.jsonl": iter(sorted(corpus.chunk_stories().items())),
        "pairs.jsonl": corpus.pairs(),
        "judgements.jsonl": iter([corpus.judgements()]),
    }
    counts: dict[str, int] = {}
    hashes: dict[str, str] = {}

    def encode(name: str, items: Iterator[Any]) -> Iterator[bytes]:
        for number, item in enumerate(items, 1):
            yield msgspec.json.encode(item) + b"\n"
            counts[name] = number
            if number % 1000 == 0:
                progress(name, number)

    try:
        (folder / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise write_error(folder, error) from None
    for name, items in lines.items():
        with atomic_path(folder / name) as partial:
            hashes[name] = write_hashed(partial, encode(name, items))["sha256"]
    described = {
        "format": FORMAT,
        "archive": corpus.archive,
        "counters": corpus.counters(),
        "sha256": hashes,
    }
    write_atomic(folder / FILE, orjson.dumps(described, option=orjson.OPT_INDENT_2))
    return counts


class FolderCorpus:
    """An exported folder, read like the spool that it came from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.archive = ""
        self._places: dict[str, tuple[int, int]] = {}  # story -> where its chunks are, in bytes

    def __enter__(self) -> Self:
        """Checks every file against its hash.

        Raises:
            UserError: no export, a half written one, or files that are not the ones it names.
        """
        path = self._folder / FILE
        try:
            self._described: dict[str, Any] = orjson.loads(path.read_bytes())
            if self._described["format"] != FORMAT:
                raise ValueError(f"format {self._described['format']}, this version knows {FORMAT}")
            self.archive = self._described["archive"]
            for name, sha in self._described["sha256"].items():
                if sha256_of(self._folder / name) != sha:
                    raise ValueError(f"{name} is not the file that was exported")
        except FileNotFoundError:
            raise NotFound(
                f"{self._folder} holds no finished export: run `kkoracle export {self._folder}` "
                "where the archive is"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadFile(f"{self._folder} is unusable ({error}): export it again") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def _lines(self, name: str) -> Iterator[Any]:
        with (self._folder / name).open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise BadFile(f"{self._folder / name} line {number}: {error}") from None

    def counters(self) -> dict[str, int]:
        return dict(self._described["counters"])

    def stories(self) -> Iterator[StoredStory]:
        for raw in self._lines("stories.jsonl"):
            story = self._record(Story, raw["story"])
            paper = raw.get("paper", "")
            yield StoredStory(story, raw["cluster"], raw["page"], raw["extraction"], paper)

    def chunks(self) -> Iterator[Chunk]:
        for raw in self._lines("chunks.jsonl"):
            yield self._record(Chunk, raw)

    def chunks_of(self, story_id: str) -> list[Chunk]:
        with (self._folder / "chunks.jsonl").open("rb") as file:
            if not self._places:
                for line in file:  # those of a story stand together
                    story = orjson.loads(line)["story_id"]
                    first, length = self._places.get(story, (file.tell() - len(line), 0))
                    self._places[story] = first, length + len(line)
            first, length = self._places.get(story_id, (0, 0))
            file.seek(first)
            lines = file.read(length).splitlines()
        return [self._record(Chunk, orjson.loads(line)) for line in lines]

    def chunk_stories(self) -> dict[str, str]:
        return dict(self._lines("chunk-stories.jsonl"))

    def pairs(self) -> Iterator[StoredPair]:
        for raw in self._lines("pairs.jsonl"):
            pair, made = self._record(Pair, raw["pair"]), self._record(PairProvenance, raw["made"])
            yield StoredPair(pair, raw["story"], made)

    def judgements(self) -> Judgements:
        for raw in self._lines("judgements.jsonl"):
            labels = {pair: Label(**label) for pair, label in raw["labels"].items()}
            return Judgements(labels, raw["scores"])
        return Judgements()

    def _record(self, kind: Any, raw: Any) -> Any:
        try:
            return kind.from_dict(raw)
        except BadRecord as error:
            raise BadFile(f"{self._folder} is of another version: {error}") from None
