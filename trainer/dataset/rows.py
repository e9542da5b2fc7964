"""One row of the dataset, and how it stands in a file.

The line is what mlx-lm's loader calls chat data (`messages`); the other keys are provenance,
which that loader and its neighbours leave alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson

from exchange.engine import Message
from exchange.errors import UserError
from trainer import chat
from trainer.dataset.manifest import Manifest
from trainer.dataset.split import Split


@dataclass(frozen=True, slots=True)
class Row:
    """A question with its answer, and where it came from."""

    id: str  # of the pair
    question: str
    answer: str
    kind: str
    story: str
    cluster: str
    task: str
    chunks: tuple[str, ...]
    system: str = ""

    def turns(self) -> list[Message]:
        """The conversation that is taught; the last turn is the answer."""
        return [*self.asked(), {"role": "assistant", "content": self.answer}]

    def asked(self) -> list[Message]:
        """The conversation up to the answer."""
        return chat.messages(self.question, self.system)

    def to_line(self) -> bytes:
        """One line of JSON with its newline; equal rows are equal bytes."""
        fields = {"messages": self.turns(), "id": self.id, "kind": self.kind, "story": self.story,
                  "cluster": self.cluster, "task": self.task, "chunks": self.chunks}  # fmt: skip
        return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_line(cls, line: bytes) -> Row:
        """Raises KeyError, ValueError or TypeError when the line is not one of ours."""
        raw = orjson.loads(line)
        turns = raw["messages"]
        system = turns[0]["content"] if turns[0]["role"] == "system" else ""
        return cls(raw["id"], turns[-2]["content"], turns[-1]["content"], raw["kind"],
                   raw["story"], raw["cluster"], raw["task"], tuple(raw["chunks"]),
                   system)  # fmt: skip


def read_split(directory: Path, split: Split) -> list[Row]:
    """The rows of a built dataset, checked against its manifest.

    Raises:
        UserError: no dataset, an empty split, or files that are not those the manifest names.
    """
    manifest = Manifest.read(directory)
    path = directory / f"{split}.jsonl"
    try:
        data = path.read_bytes()
    except OSError:
        raise UserError(f"{path} is missing: run `kkoracle dataset build` again") from None
    if sha256(data).hexdigest() != manifest.files[f"{split}.jsonl"]["sha256"]:
        raise UserError(
            f"{path} is not the file its manifest describes (edited, or a build was cut short): "
            "run `kkoracle dataset build` again"
        )
    rows = list(_parse(path, data))
    if not rows:
        raise UserError(f"{path} holds no rows: build the dataset from more accepted pairs")
    return rows


def _parse(path: Path, data: bytes) -> Iterator[Row]:
    for number, line in enumerate(data.splitlines(), 1):
        try:
            yield Row.from_line(line)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise UserError(f"{path} line {number} is no row of ours: {error!r}") from None
