"""Every answer ever given, by who gave it and what was asked: an unchanged cell costs nothing.

One file a speaker, one line a cell, only ever appended to. A kill can leave half a line at the
end; it is passed over when read, and the next line begins on a line of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import BadRecord, CannotWrite
from exchange.inference.engine import Likelihood
from exchange.records import digest
from trainer.evaluate.systems.client import Messages, ModelOutput

FOLDER = "answers"  # in the archive's folder: runs share what they have in common


class AnswerCache:
    """What one speaker said. One object belongs to one thread."""

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key}.jsonl"
        self.said: dict[str, ModelOutput] = {}
        self.weighed: dict[str, Likelihood] = {}
        self.damaged = 0  # lines that were cut short
        for raw in self._lines():
            self._take(raw)

    def add_output(self, cell: str, said: ModelOutput) -> None:
        """Add an answer. Answers that failed are not kept: they are worth another try.

        Raises:
            UserError: the disk is full.
        """
        self.said[cell] = said
        if not said.error:
            self._append({"cell": cell, "said": orjson.Fragment(said.to_json())})

    def add_likelihood(self, cell: str, likelihood: Likelihood) -> None:
        """Add a likelihood."""
        self.weighed[cell] = likelihood
        self._append({"cell": cell, "logprob": likelihood.logprob, "tokens": likelihood.tokens})

    def _take(self, raw: Any) -> None:
        try:
            if "said" in raw:
                self.said[raw["cell"]] = ModelOutput.from_dict(raw["said"])
            else:
                self.weighed[raw["cell"]] = Likelihood(float(raw["logprob"]), int(raw["tokens"]))
        except (BadRecord, KeyError, TypeError, ValueError):
            self.damaged += 1

    def _lines(self) -> Iterator[Any]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError:
                    self.damaged += 1

    def _append(self, entry: dict[str, Any]) -> None:
        line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:
                if _torn(self.path):
                    line = b"\n" + line
                file.write(line)  # one write: two evaluations at once do not mix their lines
        except OSError as error:
            raise CannotWrite(
                f"cannot write {self.path} ({error.strerror}): free some space, then run the same "
                "command again; what was answered is kept"
            ) from None


def answer_key(prompt: Messages, max_tokens: int) -> str:
    """The name of an answer among those of one speaker."""
    return digest("answer", _serialized(prompt), str(max_tokens))


def likelihood_key(prompt: Messages, completion: str) -> str:
    """The name of a likelihood."""
    return digest("weigh", _serialized(prompt), completion)


def _serialized(prompt: Messages) -> str:
    return orjson.dumps(prompt).decode()


def _torn(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
