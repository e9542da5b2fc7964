"""What is taught in which way: a folder for each dataset, the same commands a person would run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from bench import processes
from bench.registry import Figures, Log
from exchange.errors import ProgramFailed, Unsupported
from trainer.evaluate.run import FOLDER as EVALUATION
from trainer.training.preference import FILE as INVENTIONS
from trainer.training.runs import TrainingRun

# Without an early end: validation asks 22 questions, too few to say when facts are learned.
TRAIN = {"patience": "0", "open_book": "0"}
ALL_WEIGHTS = (("recipe", "full"), ("lr", "0.002"))
OPEN_BOOK = (("open_book", "0.3"),)
HALF_OPEN_BOOK = (("open_book", "0.5"),)  # what all weights need to go on reading as the base does
WORDINGS = (("wordings", "2"),)
PREFERENCE = (("recipe", "preference"), ("lr", "0.001"))  # a quarter of the demo's, as by default
SYSTEMS = "base,rag,tuned,tuned+abstain,tuned+rag"


@dataclass(frozen=True, slots=True)
class TeachingWay:
    """One way of teaching: what differs from plain questions and answers."""

    name: str
    dataset: tuple[tuple[str, str], ...] = ()
    train: tuple[tuple[str, str], ...] = ()
    scale: float = 1.0  # strength of the adapter when it is asked
    first: float = 0.0  # share of the epochs that go to `sft`, from whose run it then goes on


WAYS = (
    TeachingWay("sft"),
    TeachingWay("distil", train=(("recipe", "distil"),)),
    TeachingWay("wordings", dataset=WORDINGS),
    TeachingWay("until-learned", train=(("until_learned", "true"),)),
    TeachingWay("preference", train=PREFERENCE, first=2 / 3),
    TeachingWay("open-book", train=OPEN_BOOK),
    TeachingWay("all-weights", train=ALL_WEIGHTS),
    TeachingWay("best", train=(*ALL_WEIGHTS, *HALF_OPEN_BOOK), scale=0.9),
)
ADAPTERS = ("sft", "distil", "until-learned", "open-book")  # what a large model has time for here


@dataclass(frozen=True, slots=True)
class TaughtWay:
    """Its runs, one for each seed, and the folder of the archive they lie in."""

    way: TeachingWay
    archive: Path
    runs: tuple[str, ...]
    epochs: int
    cpu_s: float | None  # of the first training; None: it was there already
    before: str = ""  # the run that its first run goes on from

    def adapter(self, run: str) -> Path:
        return TrainingRun(self.archive, run).adapter("last")

    def evaluation(self, run: str) -> Path:
        return TrainingRun(self.archive, run).folder / EVALUATION


def chosen(names: Sequence[str] | None) -> list[TeachingWay]:
    """The ways of these names; all without any.

    Raises:
        UserError: a name that is none of them.
    """
    known = {way.name: way for way in WAYS}
    if unknown := [name for name in names or () if name not in known]:
        raise Unsupported(f"{', '.join(unknown)}: the ways are {', '.join(known)}")
    return [known[name] for name in names or known]


def teach(
    folder: Path,
    way: TeachingWay,
    seeds: Sequence[int],
    epochs: int,
    log: Log,
    *,
    questions: int | None = None,
) -> TaughtWay:
    """Train with every seed and evaluate; what is finished is not done again.

    Args:
        questions: of each set in the evaluation; default: as the demo has it.
    """
    place = _place(folder, way, log)
    archive = place / "data" / "demo"
    runs: list[TaughtWay] = []
    for seed in seeds:
        name, before, took = f"{way.name}-{seed}", "", 0.0
        left, words = float(epochs), ["--name", name]
        if way.first:
            before = f"first-{seed}"
            took = _first_run(place, before, seed, round(way.first * epochs), log)
            words += ["--continue", before]
            left -= round(way.first * epochs) + 1  # what it invents is asked once about every row
        if way.dataset or way.train:
            plain = _tokens(_place(folder, WAYS[0], log), WAYS[0])
            left *= plain / _tokens(place, way, *words[2:])
            left -= ("recipe", "distil") in way.train  # the base is asked once about every row
        settings = {"seed": str(seed), "epochs": str(max(1, int(left)))}
        cpu_s = None
        if not (archive / "runs" / name / "summary.json").exists():
            cpu_s = round(took + _command(place, way, settings, "train", *words, log=log), 1)
        if not (archive / "runs" / name / EVALUATION / "report.json").exists():
            asked = ["evaluate", "--name", name, "--systems", SYSTEMS, f"--scale={way.scale}"]
            asked += ["-n", str(questions)] if questions else []
            _command(place, way, {}, *asked, "--no-judge", log=log)
        runs.append(TaughtWay(way, archive, (name,), int(settings["epochs"]), cpu_s, before))
    return replace(runs[0], runs=tuple(one.runs[0] for one in runs))


def _first_run(place: Path, name: str, seed: int, epochs: int, log: Log) -> float:
    """Plain questions and answers, and what that run invents; returns the processor's seconds."""
    run = TrainingRun(place / "data" / "demo", name).folder
    settings = {"seed": str(seed), "epochs": str(epochs)}
    took = 0.0
    if not (run / "summary.json").exists():
        took = _command(place, WAYS[0], settings, "train", "--name", name, log=log)
    if not (run / INVENTIONS).exists():
        asked = ("boundary", "--name", name, "-n", "0", "--samples", "0")
        took += _command(place, WAYS[0], {}, *asked, log=log)
    return took


def training_figures(one: TaughtWay) -> Figures:
    """What the first training took."""
    name = one.way.name
    parts = [TrainingRun(one.archive, run).folder for run in (one.runs[0], one.before) if run]
    tokens = [orjson.loads((part / "summary.json").read_bytes())["tokens"] for part in parts]
    return {
        f"{name}_tokens": sum(tokens),
        f"{name}_epochs": one.epochs,
        f"{name}_cpu_s": one.cpu_s,
    }


def _place(folder: Path, way: TeachingWay, log: Log) -> Path:
    """A copy of the demo for each way: what trains beside it holds a lock of its own."""
    place = folder / way.name
    if not (place / "built").exists():
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder / "demo", place, ignore=shutil.ignore_patterns("runs"))
        _command(place, way, {}, "dataset", "build", log=log)
        (place / "built").touch()
    return place


def _tokens(place: Path, way: TeachingWay, *words: str) -> int:
    """Tokens of one epoch."""
    done = subprocess.run(
        _python("train", "--name", "plan", "--dry-run", "--json", *words),
        cwd=place,
        env=_environment(way, {}),
        stdout=subprocess.PIPE,
        check=True,
    )
    tokens: int = orjson.loads(done.stdout)["plan"]["tokens"]
    return tokens


def _command(
    place: Path, way: TeachingWay, settings: dict[str, str], *words: str, log: Log
) -> float:
    """Run a command of this project; returns the processor's seconds."""
    log(f"{way.name}: kkoracle {' '.join(words)}")
    messages = place / "bench.log"
    took = processes.run(_python(*words), place, _environment(way, settings), messages)
    if took.code:
        last = messages.read_text("utf-8", "replace").strip().splitlines()[-1:]
        raise ProgramFailed(f"{' '.join(words)} ended with code {took.code}: {' '.join(last)}")
    return took.cpu_s


def _python(*words: str) -> list[str]:
    return [sys.executable, "-m", "kkoracle", *words]


def _environment(way: TeachingWay, settings: dict[str, str]) -> dict[str, str]:
    """As from a shell; settings of the way take the place of those in the demo's file."""
    train = {**TRAIN, **dict(way.train), **settings}
    return {
        **processes.command_environment(),
        **{f"KKORACLE_TRAIN_{name.upper()}": value for name, value in train.items()},
        **{f"KKORACLE_DATASET_{name.upper()}": value for name, value in way.dataset},
    }
