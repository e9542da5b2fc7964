"""The checks: how often each rule is right, and what the chain and `recheck` cost.

rules                   for each reason code, over the labelled pairs: precision (of the pairs it
                        rejects, those labelled with it), recall (of those labelled with it, those
                        it rejects), caught (of those labelled with it, rejected by any rule)
kept_right              accepted pairs that are labelled right, of all accepted
right_kept              right pairs that are accepted, of all right ones; twins_kept of dated twins
wrong_caught            wrong pairs that are rejected, by whatever rule
check_cpu_s             processor seconds to parse and judge all pairs, in one process; check_rss_mb
                        the largest memory of that process
recheck_cpu_s           processor seconds of `kkoracle recheck --yes` over as many stored pairs, all
                        its processes together; recheck_rss_mb their largest sum
collect_cpu_s           processor seconds of storing as many results in a spool as the collector
                        does; dedup_cpu_s of that for the index of questions alone
Against whom: the labels.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import ROOT, processes
from bench.registry import BenchSettings, Figures
from exchange.errors import ProgramFailed

if TYPE_CHECKING:
    from bench.checks.labelled import LabelledVerdict

SEED = 7
NOT_FOR_JUDGING = ("*_cpu_s", "*_rss_mb", "recheck_s")
PAIRS, QUICK = 150_000, 6_000


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--pairs", type=int, help=f"pairs to judge, default {PAIRS:,}")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Score the rules, then time the chain, the collector and the recheck."""
    from bench.checks import labelled, stored

    pairs = args.pairs or (QUICK if settings.quick else PAIRS)
    judged = labelled.judge_all()
    found: Figures = {"labelled": len(judged), **_rules(judged), "pairs": pairs}
    found |= _chain(pairs, settings)
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as name:
        folder = Path(name)
        settings.log("storing the results in a spool")
        found |= stored.collect(folder, pairs, SEED)
        settings.log("judging them again with `kkoracle recheck`")
        found |= _recheck(folder)
    return found


def _rules(judged: list[LabelledVerdict]) -> Figures:
    from bench.checks.labelled import scores

    table = scores(judged)
    kept = [one for one in judged if not one.found]
    right = [one for one in judged if not one.wanted]
    wrong = [one for one in judged if one.wanted]
    twins = [one for one in judged if one.twin]

    def share(some: list[LabelledVerdict], whole: list[LabelledVerdict]) -> float:
        return round(len(some) / len(whole), 4)

    return {
        "rules": {
            reason: {
                "labelled": score.wanted,
                "precision": score.precision,
                "recall": score.recall,
                "caught": score.caught,
            }
            for reason, score in table.items()
            if reason
        },
        "kept_right": share([one for one in kept if not one.wanted], kept),
        "right_kept": share([one for one in right if not one.found], right),
        "twins_kept": share([one for one in twins if not one.found], twins),
        "wrong_caught": share([one for one in wrong if one.found], wrong),
    }


def _chain(pairs: int, settings: BenchSettings) -> Figures:
    """In a process of its own, so that its memory is its own too."""
    settings.log(f"judging {pairs:,} pairs")
    command = [sys.executable, "-m", "bench.checks.chain", str(pairs), str(SEED)]
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as name:
        log = Path(name) / "log"
        taken = processes.run(command, ROOT, dict(os.environ), log)
        if taken.code:
            raise ProgramFailed(log.read_text())
        cpu, judged, accepted, rss = log.read_text().split()
    return {
        "judged": int(judged),
        "accepted": int(accepted),
        "check_cpu_s": float(cpu),
        "check_rss_mb": int(rss),
    }


def _recheck(folder: Path) -> Figures:
    command = [sys.executable, "-m", "kkoracle", "recheck", "paper", "--yes"]
    started = time.monotonic()
    taken = processes.run(command, folder, processes.command_environment(), folder / "recheck.log")
    if taken.code:
        raise ProgramFailed((folder / "recheck.log").read_text("utf-8"))
    return {
        "recheck_cpu_s": round(taken.cpu_s, 1),
        "recheck_s": round(time.monotonic() - started, 1),
        "recheck_rss_mb": round(taken.rss_mb),
    }
