"""What base and tuned answered, side by side: records, their shares, and two files of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from rich.table import Table

from exchange.files import write_atomic
from exchange.text.fold import words
from trainer.console import one_line

TRAINED, HELD_OUT, ASKED = "trained", "held out", "asked"


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One question, the reference if there is one, and both answers."""

    group: str  # TRAINED, HELD_OUT or ASKED
    question: str
    reference: str
    base: str
    tuned: str

    @property
    def base_exact(self) -> bool:
        """The base's words are the reference's."""
        return bool(self.reference) and words(self.base) == words(self.reference)

    @property
    def tuned_exact(self) -> bool:
        """The tuned model's words are the reference's."""
        return bool(self.reference) and words(self.tuned) == words(self.reference)


@dataclass(frozen=True, slots=True)
class GroupScores:
    """One group of questions with references. Shares run from 0 to 1.

    Exact: all folded words equal, in order. Overlap: F1 of the folded words; it shows drift, and
    ranks a negated answer above a right paraphrase, so it is no verdict. Loss: nats per token of
    the reference, given the question.
    """

    group: str
    rows: int
    base_exact: float
    tuned_exact: float
    base_overlap: float
    tuned_overlap: float
    base_loss: float
    tuned_loss: float


@dataclass(frozen=True, slots=True)
class BaseTunedComparison:
    """The same questions to the model without and with its adapter, greedy, from one copy."""

    model: str
    run: str
    checkpoint: str
    dataset: str
    rows: tuple[ComparisonRow, ...]
    shares: tuple[GroupScores, ...]

    def share(self, group: str) -> GroupScores | None:
        """The share of a group; None when no question of it has a reference."""
        return next((share for share in self.shares if share.group == group), None)


def word_f1(answer: str, reference: str) -> float:
    """F1 of the folded words, each counted as often as it stands in both."""
    one, other = Counter(words(answer)), Counter(words(reference))
    common = (one & other).total()
    return 2 * common / (one.total() + other.total()) if common else 0.0


def group_scores(
    group: str, rows: Sequence[ComparisonRow], base_loss: float, tuned_loss: float
) -> GroupScores:
    """Sum up the rows of one group, all of them with a reference."""
    count = len(rows)
    return GroupScores(
        group,
        count,
        sum(row.base_exact for row in rows) / count,
        sum(row.tuned_exact for row in rows) / count,
        sum(word_f1(row.base, row.reference) for row in rows) / count,
        sum(word_f1(row.tuned, row.reference) for row in rows) / count,
        base_loss,
        tuned_loss,
    )


def write_comparison(comparison: BaseTunedComparison, folder: Path) -> tuple[Path, Path]:
    """Write compare.json and compare.md into a run's folder; returns both paths."""
    data, text = folder / "compare.json", folder / "compare.md"
    raw = asdict(comparison)
    for entry, row in zip(raw["rows"], comparison.rows, strict=True):
        entry.update(base_exact=row.base_exact, tuned_exact=row.tuned_exact)
    write_atomic(data, orjson.dumps(raw, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    write_atomic(text, to_markdown(comparison).encode())
    return data, text


def to_markdown(comparison: BaseTunedComparison) -> str:
    """The same for people: shares first, then every question."""
    lines = [
        f"# Base and tuned: {comparison.model}",
        "",
        f"Run `{comparison.run}`, {comparison.checkpoint} checkpoint, dataset "
        f"`{comparison.dataset}`, greedy decoding, both from one copy of the weights.",
        "",
    ]
    if comparison.shares:
        lines += [
            "| questions | number | exact, base | exact, tuned | overlap, base | overlap, tuned "
            "| loss, base | loss, tuned |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
    for s in comparison.shares:
        lines.append(
            f"| {s.group} | {s.rows} | {s.base_exact:.0%} | {s.tuned_exact:.0%} "
            f"| {s.base_overlap:.2f} | {s.tuned_overlap:.2f} "
            f"| {s.base_loss:.3f} | {s.tuned_loss:.3f} |"
        )
    for number, row in enumerate(comparison.rows, 1):
        lines += ["", f"## {number}. {_cell(row.question)}", "", f"*{row.group}*", ""]
        if row.reference:
            lines.append(f"- reference: {_cell(row.reference)}")
        lines.append(f"- base: {_cell(row.base)}")
        lines.append(f"- tuned: {_cell(row.tuned)}{' (exact)' if row.tuned_exact else ''}")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """One line; an answer of a model may hold anything."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|") or "(nothing)"


def comparison_table(comparison: BaseTunedComparison, rows: int = 10) -> Table:
    """The first questions of each group, base beside tuned."""
    table = Table(title="Base and tuned", title_justify="left", show_lines=True)
    for name in ("", "question", "reference", "base", "tuned"):
        table.add_column(name, overflow="fold")
    for group in dict.fromkeys(row.group for row in comparison.rows):
        for row in [row for row in comparison.rows if row.group == group][:rows]:
            style = "[green]" if row.tuned_exact else ""
            table.add_row(
                row.group,
                one_line(row.question),
                one_line(row.reference),
                one_line(row.base),
                style + one_line(row.tuned),
            )
    return table


def share_table(comparison: BaseTunedComparison) -> Table:
    """Shares of exact answers, overlap and loss, by group."""
    table = Table(title="Shares, base -> tuned", title_justify="left")
    for name in ("questions", "number", "exact", "overlap", "loss"):
        table.add_column(name, justify="left" if name == "questions" else "right")
    for s in comparison.shares:
        table.add_row(
            s.group,
            str(s.rows),
            f"{s.base_exact:.0%} -> {s.tuned_exact:.0%}",
            f"{s.base_overlap:.2f} -> {s.tuned_overlap:.2f}",
            f"{s.base_loss:.3f} -> {s.tuned_loss:.3f}",
        )
    return table
