"""The answer scorer on a made-up examination, against length, a bag of words, and the usual loss.

A guide of five concepts; answers state them, paraphrase them by synonyms, deny them, mislead and
pad; scored 0 to 5, one label in ten off by one, in training and in the tests (see task.py). A model
of about 0.1M parameters starts from nothing (see base.py) and is taught by the code of the
product's own commands on 60,000 rows, three seeds of words, rows and weights, with the loss over
the ten digits; beside it, the first seed once more with the loss over the whole vocabulary.
Figures are medians over the seeds, by seed under `seeds`.

qwk_unseen_answers     quadratic weighted kappa on new answers to taught questions
qwk_unseen_questions   the same on questions whose concepts stood in no guide that was taught
qwk_sure_half_*        on the half of which it is surer
ece                    calibration error after the temperature, the worse of the two tests;
                       ece_before: without it
ceiling_*              the kappa of the true scores with the noisy labels: no scorer can do better
answered_*             share of answers on which it does not abstain; agreement_answered_* how
                       often it is then exactly right
qwk_length, qwk_words  length alone, a bag of words; the better of the two tests
vocabulary_qwk_*       with the loss over the whole vocabulary; digits_qwk_* the same seed with ours
train_cpu_s            processor time of one training; cpu_s of everything
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import orjson

from bench.processes import mlx_environment
from bench.registry import BenchSettings, Figures
from exchange.errors import ProgramFailed

SEED = 7
NOT_FOR_JUDGING = (
    "qwk_*",
    "ece*",
    "answered_*",
    "agreement_answered_*",
    "vocabulary_*",
    "digits_*",
    "train_cpu_s",
    "cpu_s",
)
SEEDS = 3
TRAIN, QUICK = 60_000, 6_000
TESTS = ("unseen_answers", "unseen_questions")


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--train", type=int, help=f"rows; default: {TRAIN}, quick {QUICK}")
    parser.add_argument("--seeds", type=int, help=f"default: {SEEDS}, quick 1")
    parser.add_argument("--jobs", type=int, default=2, help="trainings beside each other")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """All trainings, each in a process of its own."""
    rows = args.train or (QUICK if settings.quick else TRAIN)
    seeds = range(SEED, SEED + (args.seeds or (1 if settings.quick else SEEDS)))
    asked = [*((seed, "digits") for seed in seeds), (seeds[0], "vocabulary")]
    with (
        tempfile.TemporaryDirectory(prefix="kk-bench-") as name,
        ThreadPoolExecutor(args.jobs) as pool,
    ):
        done = list(pool.map(lambda one: _teach(Path(name), rows, *one), asked))
    found = dict(zip(asked, done, strict=True))
    ours = [found[seed, "digits"] for seed in seeds]
    usual, same = found[seeds[0], "vocabulary"], found[seeds[0], "digits"]

    def middle(figures: list[Figures], key: str) -> float:
        return round(median(float(one[key]) for one in figures), 4)

    return {
        "rows": rows,
        "parameters": ours[0]["parameters"],
        **{f"qwk_{test}": middle(ours, f"qwk_{test}") for test in TESTS},
        **{f"qwk_sure_half_{test}": middle(ours, f"qwk_sure_half_{test}") for test in TESTS},
        "ece": max(middle(ours, f"ece_{test}") for test in TESTS),
        "ece_before": max(middle(ours, f"ece_before_{test}") for test in TESTS),
        **{
            f"{key}_{test}": middle(ours, f"{key}_{test}")
            for test in TESTS
            for key in ("accuracy", "macro_f1", "mae", "ceiling", "answered", "agreement_answered")
        },
        "qwk_length": max(middle(ours, f"qwk_length_{test}") for test in TESTS),
        "qwk_words": max(middle(ours, f"qwk_bag_{test}") for test in TESTS),
        **{f"vocabulary_qwk_{test}": usual[f"qwk_{test}"] for test in TESTS},
        **{f"digits_qwk_{test}": same[f"qwk_{test}"] for test in TESTS},
        "vocabulary_ece": max(usual[f"ece_{test}"] for test in TESTS),
        "train_cpu_s": middle(ours, "train_cpu_s"),
        "cpu_s": round(sum(float(one["cpu_s"]) for one in done), 1),
        "seeds": {
            str(seed): [found[seed, "digits"][f"qwk_{test}"] for test in TESTS] for seed in seeds
        },
    }


def _teach(folder: Path, rows: int, seed: int, loss: str) -> Figures:
    home = folder / f"{loss}-{seed}"
    command = [
        sys.executable,
        "-m",
        "bench.scorer.one",
        str(home),
        "--seed",
        str(seed),
        "--train",
        str(rows),
        "--loss",
        loss,
    ]
    # One thread each: they run beside each other, and sums come in one order.
    done = subprocess.run(command, env=mlx_environment(), stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise ProgramFailed(f"the training of seed {seed} ({loss}) ended with {done.returncode}")
    found: Figures = orjson.loads(done.stdout.splitlines()[-1])
    return found
