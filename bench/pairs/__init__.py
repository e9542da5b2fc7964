"""Labelled pairs over real news text: how many right ones the rules keep, and what gets through.

good_kept_LL         right pairs of a language that the rules accept, of all its right ones
accepted_right_LL    right pairs, of all that the rules accept in that language
rejected_good_LL     by reason code: the right pairs that it rejected
accepted_wrong_LL    by the labels' own reason: wrong pairs accepted, and how many there are
judge_cpu_s          processor seconds to judge them all
read_back            with `--model`: what verification makes of them, see `bench.pairs.read_back`
Against whom: the labels. `--corpus DIR` holds `pairs.jsonl`, a pair a line: id, language, header,
text, question, answer, good, reason. The material is somebody else's and no part of this project.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.checks.corpus import chunk_task
from bench.registry import BenchSettings, Figures
from exchange.errors import BadFile, NotFound, UsageError
from exchange.inference import openblas

SEED = 0  # nothing is drawn
NOT_FOR_JUDGING = ("judge_cpu_s",)
FILE = "pairs.jsonl"


@dataclass(frozen=True, slots=True)
class RealPairVerdict:
    """One labelled pair and the reason code that the chain gave; "" is accepted."""

    language: str
    good: bool
    label: str
    found: str


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--corpus", type=Path, help=f"the folder of {FILE}")
    parser.add_argument("--model", type=Path, help="a model's folder: have the pairs read back")
    parser.add_argument("--language", default="en", help="of the pairs that --model reads back")
    parser.add_argument("--list", action="store_true", help="name each pair that was misjudged")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Judge every pair and count; there are few, so that `--quick` changes nothing."""
    if args.corpus is None:
        raise UsageError("say where the labelled pairs are: --corpus DIR")
    rows = _read(args.corpus / FILE)
    if args.model is not None:
        openblas.ensure()
    started = time.process_time()
    judged = [judge(row) for row in rows]
    spent = time.process_time() - started
    if args.list:
        for row, one in zip(rows, judged, strict=True):
            if one.good == bool(one.found):
                settings.log(f"{row['id']}: {one.label or 'good'} -> {one.found or 'accepted'}")
    figures = {"pairs": len(judged), **count(judged), "judge_cpu_s": round(spent, 2)}
    if args.model is None:
        return figures
    from bench.pairs.read_back import read_back

    chosen = [i for i, row in enumerate(rows) if row["language"] == args.language]
    if not chosen:
        raise UsageError(f"the corpus has no pairs in {args.language!r}")
    accepted = [not judged[i].found for i in chosen]
    return figures | {
        "read_back": read_back(args.model, [rows[i] for i in chosen], accepted, settings.log)
    }


def _read(path: Path) -> list[dict[str, str]]:
    try:
        rows: list[dict[str, str]] = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    except FileNotFoundError:
        raise NotFound(f"no labelled pairs: {path} does not exist") from None
    except orjson.JSONDecodeError as error:
        raise BadFile(f"{path}: {error}") from None
    return rows


def judge(row: dict[str, str]) -> RealPairVerdict:
    """One pair through the chain of a chunk's pairs."""
    from workers.checks import CheckContext, TokenizedPair, first_objection

    task = chunk_task(row["text"], row["header"], row["language"])
    claim = TokenizedPair.of(row["question"], row["answer"], language=row["language"])
    found = first_objection(claim, CheckContext.of(task))
    return RealPairVerdict(row["language"], bool(row["good"]), row["reason"], found)


def count(judged: list[RealPairVerdict]) -> Figures:
    """The figures by language, the largest first."""
    figures: Figures = {}
    by_language: dict[str, list[RealPairVerdict]] = defaultdict(list)
    for one in judged:
        by_language[one.language].append(one)
    for language, some in sorted(by_language.items(), key=lambda item: -len(item[1])):
        good = [one for one in some if one.good]
        wrong = [one for one in some if not one.good]
        kept = [one for one in good if not one.found]
        through = [one for one in wrong if not one.found]
        labels = Counter(one.label for one in wrong)
        passed = Counter(one.label for one in through)
        figures |= {
            f"good_kept_{language}": round(len(kept) / len(good), 3) if good else None,
            f"accepted_right_{language}": round(len(kept) / (len(kept) + len(through)), 3)
            if kept or through
            else None,
            f"rejected_good_{language}": dict(Counter(o.found for o in good if o.found)),
            f"accepted_wrong_{language}": {
                label: f"{passed[label]} of {labels[label]}" for label in sorted(labels)
            },
        }
    return figures
