"""The model card: what it is, how well it does, whose the text is, and how to ask it.

Its results are what the files of a run tell; its text is the template `card.md.j2`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from exchange.text.controls import one_line, plain_markdown
from trainer.dataset.build import FOLDER
from trainer.dataset.rows import describe_valid
from trainer.evaluate.report import strings
from trainer.publish.fuse import FusedModel

if TYPE_CHECKING:
    from jinja2 import Environment

QUESTION = "…"  # the reader's own
SETTINGS = ("rank", "alpha", "layers", "dropout", "lr", "epochs", "batch", "accumulate", "seed")
_GROUPS = {"trained": "questions that were taught", "held out": "stories that were never taught"}


@dataclass(frozen=True, slots=True)
class CardResult:
    """One measure of base and tuned model."""

    on: str  # what was asked
    measure: str
    base: float
    tuned: float
    rows: int = 0  # 0: not recorded
    percent: bool = False
    interval: tuple[float, float] | None = None  # of tuned, 95 %, clustered by story

    def shown(self, value: float) -> str:
        """As a table gives it."""
        return f"{value:.1%}" if self.percent else f"{value:.3f}"

    @property
    def tuned_shown(self) -> str:
        """With its interval, where it is known."""
        if self.interval is None:
            return self.shown(self.tuned)
        low, high = (self.shown(value) for value in self.interval)
        return f"{self.shown(self.tuned)} ({low} to {high})"


@dataclass(frozen=True, slots=True)
class CardResults:
    """A table, and the sentence that an evaluation ended with."""

    rows: tuple[CardResult, ...] = ()
    verdict: str = ""


def read_results(run: Path) -> CardResults:
    """All results found in a run's folder; a file that is missing or damaged adds none.

    Where the run was evaluated, that stands instead of the quicker comparison.
    """
    report = _load(run / "evaluation" / "report.json")
    evaluated = _tried(_evaluated, report)
    rows = evaluated or _tried(_compared, _load(run / "compare.json"))
    rows += _tried(
        _summed,
        {**_load(run / "summary.json"), "on_valid": describe_valid(run.parent.parent / FOLDER)},
    )
    return CardResults(tuple(rows), str(report.get("sentence", "")) if evaluated else "")


def _evaluated(raw: dict[str, Any]) -> Iterator[CardResult]:
    """Base and tuned model in an evaluation's report."""
    english = strings.load("en")
    kinds = {system["kind"]: system["name"] for system in raw["about"]["systems"]}
    cells = {(cell["metric"], cell["split"], cell["system"]): cell for cell in raw["cells"]}
    for metric in raw["about"]["metrics"]:
        for split in dict.fromkeys(cell["split"] for cell in raw["cells"]):
            base, tuned = (
                cells.get((metric["name"], split, kinds.get(kind))) for kind in ("base", "tuned")
            )
            if not base or not tuned or base["mean"] is None or tuned["mean"] is None:
                continue
            name = english["metrics"].get(metric["name"], metric["name"])
            yield CardResult(
                english["splits"].get(split, split),
                f"{name}, {metric['unit']}",
                base["mean"],
                tuned["mean"],
                tuned["questions"],
                metric["unit"] == "share",
                (tuned["low"], tuned["high"]) if tuned["low"] is not None else None,
            )


def _compared(raw: dict[str, Any]) -> Iterator[CardResult]:
    for share in raw["shares"]:
        on, rows = _GROUPS.get(share["group"], share["group"]), share["rows"]
        yield CardResult(
            on,
            "answers equal word for word",
            share["base_exact"],
            share["tuned_exact"],
            rows,
            percent=True,
        )
        yield CardResult(
            on, "overlap of words (F1)", share["base_overlap"], share["tuned_overlap"], rows
        )


def _summed(raw: dict[str, Any]) -> Iterator[CardResult]:
    for on, key in (("taught rows", "taught"), (raw["on_valid"], "valid")):
        yield CardResult(
            on, "loss, nats per answer token", raw[f"{key}_before"], raw[f"{key}_after"]
        )


def _tried(read_rows: Any, raw: dict[str, Any]) -> list[CardResult]:
    try:
        return list(read_rows(raw))
    except (KeyError, TypeError, ValueError):
        return []


def _load(path: Path) -> dict[str, Any]:
    try:
        raw = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Everything that stands on the card."""

    name: str  # what the model calls itself
    newspaper: str
    language: str
    goal: str
    system: str  # message that it was taught with; may be empty
    base: str  # Hub name; a local folder's own name
    base_on_hub: bool
    license: str  # "" for "other"
    rights: str  # agreed with the newspaper; may be empty
    fused: FusedModel
    kind: str  # lora, dora or full
    settings: dict[str, object]
    results: CardResults
    repository: str = ""  # on the Hub; "" before it has one


def render_card(card: ModelCard) -> str:
    """The text of README.md, with its YAML head."""
    turns = [{"role": "user", "content": QUESTION}]
    if card.system:
        turns.insert(0, {"role": "system", "content": card.system})
    return (
        _environment()
        .get_template("card.md.j2")
        .render(
            card=card,
            fused=card.fused,
            results=card.results,
            where=_quoted(card.repository or "."),
            messages=_quoted(turns),
            settings=", ".join(
                f"{key} {card.settings[key]}" for key in SETTINGS if key in card.settings
            ),
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("trainer.publish"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # JSON's strings are YAML's and Python's too.
    made.filters.update(
        yaml=_quoted, plain=plain_markdown, code=_code, slug=_slug, groupby_order=_grouped
    )
    return made


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _code(text: str) -> str:
    return f"`{one_line(text).replace('`', '')}`"


def _slug(text: str) -> str:
    kept = "".join(c for c in text.lower() if c.isascii() and (c.isalnum() or c in "-_"))
    return kept or "oracle"


def _grouped(rows: Sequence[CardResult], name: str) -> list[tuple[str, list[CardResult]]]:
    """Rows by an attribute, in the order of its first appearance."""
    groups: dict[str, list[CardResult]] = {}
    for row in rows:
        groups.setdefault(getattr(row, name), []).append(row)
    return list(groups.items())
