"""Score the answers of a file into a table, a block at a time: killed anywhere, it goes on there.

The table holds the file's own columns and behind them what the scorer says, with what a reader
needs to judge it. Its last column names the scorer, so a line that was cut off is known as such,
and one of another scorer is not gone on with.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import BadFile, UsageError
from exchange.files import write_atomic, write_error
from exchange.text.controls import csv_lines, plain_cell
from trainer.console import StageProgress
from trainer.scorer.explain import ScoreContext
from trainer.scorer.items import ScoreItem
from trainer.scorer.loaded import LoadedScorer
from trainer.scorer.scoring import ScoreResult

BLOCK = 64  # answers scored, then written with one sync: what a kill can cost
COLUMNS = (
    "row",
    "score",
    "maximum",
    "confidence",
    "abstained",
    "nearest taught answers",
    "guide met",
    "guide missed",
    "scorer",
)
FEEDBACK = "feedback"
Feedback = Callable[[Sequence[ScoreItem], Sequence[ScoreResult], Sequence[ScoreContext]], list[str]]


@dataclass(slots=True)
class BatchResult:
    """What came of it."""

    path: Path
    answers: int = 0
    before: int = 0  # written by an earlier call
    scored: int = 0  # now
    abstained: int = 0  # of those scored now


def score_file(
    loaded: LoadedScorer,
    items: Sequence[ScoreItem],
    records: Sequence[Mapping[Any, Any]],
    out: Path,
    *,
    feedback: Feedback | None = None,
    report: StageProgress = lambda what, done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> BatchResult:
    """Score every answer that `out` does not hold yet, in order.

    Args:
        records: the rows of the file that the items were read from.
        out: `.csv` (for any spreadsheet) or `.jsonl`.
        feedback: writes something for the student, "" for nothing; None for no such column.
        stop: looked at between two blocks; the same call goes on from there.

    Raises:
        UsageError: a name of another kind.
        BadFile: `out` holds the scores of other answers, or of another scorer.
        CannotWrite: the disk is full, or the folder cannot be written.
    """
    if out.suffix.lower() not in (".csv", ".jsonl"):
        raise UsageError(f"{out.name}: scores are written to .csv or .jsonl")
    names = list(dict.fromkeys(str(name) for record in records for name in record if name))
    own = [*COLUMNS[:-1], *([FEEDBACK] if feedback else []), COLUMNS[-1]]
    headings = [f"{name} (given)" if name in own else name for name in names] + own
    key = loaded.about.key
    table = _Table(out, headings, key)
    before = table.kept([item.id for item in items])
    result = BatchResult(out, len(items), before)
    for first in range(before, len(items), BLOCK):
        if stop():
            break
        block = items[first : first + BLOCK]
        scored = loaded.score(block)
        contexts = [loaded.taught.context(item) for item in block]
        written = feedback(block, scored, contexts) if feedback else []
        lines = []
        for number, (item, found) in enumerate(zip(block, scored, strict=True)):
            given = [records[first + number].get(name, "") for name in names]
            said = [item.id, *_cells(found, contexts[number]), *written[number : number + 1]]
            lines.append([*given, *said, key])
            result.abstained += found.abstained
        table.append(lines)
        result.scored += len(block)
        report("scoring", first + len(block), len(items))
    return result


def _cells(found: ScoreResult, context: ScoreContext) -> list[Any]:
    return [
        found.score,
        found.maximum,
        found.confidence,
        "yes" if found.abstained else "no",
        " | ".join(f"{near.score:g}: {near.answer}" for near in context.nearest),
        " | ".join(context.met),
        " | ".join(context.missed),
    ]


class _Table:
    """The file that is written, a whole line or none."""

    def __init__(self, path: Path, headings: list[str], key: str) -> None:
        self._path, self._headings, self._key = path, headings, key
        self._lines = path.suffix.lower() == ".jsonl"

    def kept(self, ids: list[str]) -> int:
        """How many lines of these ids stand there whole; what was cut off behind them goes."""
        if not self._path.exists():
            write_atomic(self._path, b"" if self._lines else self._csv([self._headings], head=True))
            return 0
        try:
            rows = self._read()
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise BadFile(f"{self._path} cannot be read ({error}): give another --out") from None
        if rows and rows[-1][-1:] != [self._key]:
            rows.pop()  # cut off as it was written
        at = self._headings.index(COLUMNS[0])
        if (
            any(row[-1:] != [self._key] for row in rows)
            or [row[at] for row in rows] != ids[: len(rows)]
        ):
            raise BadFile(
                f"{self._path} holds scores of other answers or of another scorer: give another "
                "--out, or remove it"
            )
        body = self._encoded(rows)
        write_atomic(
            self._path, body if self._lines else self._csv([self._headings], head=True) + body
        )
        return len(rows)

    def append(self, rows: list[list[Any]]) -> None:
        """Write lines behind the others, and see them on the disk."""
        try:
            with self._path.open("ab") as file:
                file.write(self._encoded(rows))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise write_error(self._path, error) from None

    def _read(self) -> list[list[Any]]:
        """The rows under the headings."""
        content = self._path.read_bytes()
        if not self._lines:
            head, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig", "ignore"), newline=""))
            if head != self._headings:
                raise BadFile(f"{self._path} is another table: give another --out, or remove it")
            return [[_bare(cell) for cell in row] for row in rows]
        found = []
        for line in content.splitlines():
            try:
                found.append(list(orjson.loads(line).values()))
            except (orjson.JSONDecodeError, AttributeError):
                found.append([None])
        return found

    def _encoded(self, rows: list[list[Any]]) -> bytes:
        if not self._lines:
            return self._csv(rows)
        return b"".join(
            orjson.dumps(
                dict(zip(self._headings, row, strict=True)),
                default=str,
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for row in rows
        )

    @staticmethod
    def _csv(rows: list[list[Any]], *, head: bool = False) -> bytes:
        flat = ([_flat(cell) for cell in row] for row in rows)
        return csv_lines(flat).encode("utf-8-sig" if head else "utf-8")


def _flat(cell: Any) -> Any:
    """What the file's own row held, as a cell can."""
    return orjson.dumps(cell, default=str).decode() if isinstance(cell, dict | list) else cell


def _bare(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and plain_cell(cell[1:]) == cell else cell
