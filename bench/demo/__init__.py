"""The demo on a newspaper that its model never saw, held against the newspaper's truth.

Runs the real `kkoracle demo` in a folder of its own and reads what it left. Against whom: the
generator's truth for the pairs, and the same model without its adapter for the recall.

chunks_with_pair        chunks that hold a fact's sentence and yielded an accepted pair
chunks_with_pair_all    the same over all chunks
facts_per_chunk         facts with a right accepted pair, per chunk that holds a fact
                        (facts_held_per_chunk: how many it holds)
pairs_right             accepted pairs that are right, of all but those about a sentence in a new
                        frame. Right: the folded words of the question are those of one of the
                        three wordings of a fact whose sentence stands in the pair's own chunk,
                        and the answer's are those of that fact's answer. A pair about a sentence
                        that holds no fact counts as wrong. A pair that is not right is about the
                        sentence of its chunk with which it has most words in common.
pairs_right_new_frames  the same for the pairs about a sentence in a new frame; null without any
rephrased_right         accepted pairs that ask a pair's question in other words, and are one of the
                        three wordings of its fact; they are in no figure of pairs, and never taught
recall_*                closed book. Asked are the truth's wordings that were not trained on, of
                        facts with a right accepted pair in the train split. Score: the true
                        answer's mean log-probability per token (end mark included) is above
                        those of three other answers, which belong to the nearest questions of
                        the same frame and the same split in other stories, so that having been
                        taught is no hint. Chance is 0.25.
unseen_*                the same questions about facts of the test split's stories
exact_*, unseen_exact_* the same facts by greedy answers whose folded words equal the truth's
*_gain, _low, _high     tuned minus base, paired, clustered by story, 95 % interval
recall_minus_unseen     the first gain minus the second; the clusters are independent
seconds, cpu_s, rss_mb  of the demo alone: wall, processor of its processes, largest sum of memory
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import processes
from bench.registry import BenchSettings, Figures
from exchange.errors import ProgramFailed
from exchange.inference import openblas

SEED = 7  # of the demo's newspaper
NOT_FOR_JUDGING = ("recall_*", "unseen_*", "exact_*", "seconds", "cpu_s", "rss_mb")
QUICK = 60  # stories: the fewest that the newspaper is made of


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--model", type=Path, help="model folder, default: the demo's own")
    parser.add_argument("--stories", type=int, help="default: as many as the demo has")
    parser.add_argument(
        "--dir", type=Path, help="keep the demo here; one that is finished is only measured"
    )


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Run the demo, then compute every figure from its files."""
    openblas.ensure()
    with working_folder(args.dir) as folder:
        return _run_in(folder, args, settings)


@contextmanager
def working_folder(kept: Path | None) -> Iterator[Path]:
    """The folder that was named, or one that is gone afterwards."""
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as folder:
        yield Path(folder)


def _run_in(folder: Path, args: argparse.Namespace, settings: BenchSettings) -> Figures:
    from bench.demo import pairs, questions, recall
    from bench.demo.results import DemoResults

    directory = folder / "demo"
    taken = make(directory, settings, stories=args.stories, model=args.model)
    printed = DemoResults.read(directory)
    held = questions.read(printed)
    settings.log(f"asking {len(held.items)} questions of base and tuned")
    return {
        "stories": len(printed.newspaper.stories),
        "model": printed.model.name if args.model else "own",
        "model_mb": round(sum(f.stat().st_size for f in printed.model.iterdir()) / 1e6, 2),
        **taken,
        **pairs.figures(printed),
        **held.figures(),
        **recall.figures(held, recall.ask(printed, held, settings.log)),
    }


def make(
    directory: Path,
    settings: BenchSettings,
    *,
    stories: int | None = None,
    model: Path | None = None,
) -> Figures:
    """Run the demo; what it took, nulls when it was begun before. A finished one stays as it is."""
    unknown: Figures = {"seconds": None, "cpu_s": None, "rss_mb": None}
    begun = (directory / "demo.json").exists()
    if (directory / "data" / "demo" / "runs" / "default" / "compare.json").exists():
        return unknown
    stories = stories or (QUICK if settings.quick else None)
    command = [sys.executable, "-m", "kkoracle", "demo", "--dir", str(directory)]
    command += ["--model", str(model.resolve())] if model else []
    command += ["--stories", str(stories)] if stories else []
    log = directory.parent / "demo.log"
    settings.log(f"running {' '.join(command[1:])}, messages in {log}")
    took = processes.run(command, directory.parent, processes.command_environment(), log)
    if took.code:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        raise ProgramFailed(f"the demo ended with code {took.code}: {lines[-1] if lines else ''}")
    if begun:
        return unknown
    return {
        "seconds": round(took.seconds, 1),
        "cpu_s": round(took.cpu_s, 1),
        "rss_mb": round(took.rss_mb),
    }
