"""The whole pipeline against mlx-lm's `generate()` chunk by chunk, and against its bare batch.

One random model of over 20 million weights (float32 on a CPU), the same chunks, prompts, lengths
and width, each in a process of its own with the same warm-up; greedy, so all should say the same.
The pipeline is the real one: spool, feeder, Redis, an RQ worker with our engine, checks, collector.

speedup_vs_loop     processor time of `generate()` per chunk over that of the whole pipeline
identical_outputs   share of chunks with the same answer from pipeline and `generate()`
of_bare_engine      processor time of BatchGenerator alone, same prefix cache, over the pipeline's
of_bare_engine_wall the same in tokens a second by the clock; on a busy machine it tells little
pipeline_cpu_s      worker, Redis and the daemon's half together; the parts follow
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from math import prod
from pathlib import Path
from typing import Any

from bench.processes import mlx_environment
from bench.registry import BenchSettings, Figures
from exchange.errors import ProgramFailed

SEED = 7
NOT_FOR_JUDGING = ("speedup_vs_loop", "of_bare_engine*", "*_cpu_s", "*tokens_per_s")
CHUNKS, QUICK = 64, 8
WIDTH, HIDDEN = 32, 512


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--chunks", type=int, help=f"default: {CHUNKS}, quick {QUICK}")
    parser.add_argument("--width", type=int, default=WIDTH, help="requests decoded together")
    parser.add_argument("--hidden", type=int, default=HIDDEN, help="the model's width")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """The three in turn."""
    from bench.generate.fixture import run_pipeline
    from bench.generate.workload import make

    count = args.chunks or (QUICK if settings.quick else CHUNKS)
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as name:
        folder = Path(name)
        settings.log("making model and chunks")
        material = make(folder, count, args.width, args.hidden)
        settings.log(f"{count} chunks through the pipeline, width {args.width}")
        ours, beside = run_pipeline(folder, material)
        settings.log("the same through BatchGenerator alone")
        bare = _alone("bare", folder)
        settings.log("the same with generate(), one by one")
        loop = _alone("loop", folder)
        parameters = _parameters(material.model)
    if beside.done != count:
        raise ProgramFailed(f"{beside.done} of {count} tasks were done: the pipeline is broken")
    tokens = sum(material.limits[:count])
    ours_cpu_s = ours.cpu_s + beside.redis_cpu_s + beside.flow_cpu_s
    return {
        "chunks": count,
        "parameters": parameters,
        "width": args.width,
        "tokens_in": [min(ours.prompts), max(ours.prompts)],
        "tokens_shared": ours.shared,
        "tokens_out": [min(material.limits[:count]), max(material.limits[:count])],
        "speedup_vs_loop": round(loop.cpu_s / ours_cpu_s, 2),
        "identical_outputs": _same(ours.answers, loop.answers),
        "of_bare_engine": round(bare.cpu_s / ours_cpu_s, 3),
        "of_bare_engine_wall": round(bare.wall_s / ours.wall_s, 3),
        "identical_to_bare": _same(ours.answers, bare.answers),
        "loop_cpu_s": round(loop.cpu_s, 2),
        "bare_cpu_s": round(bare.cpu_s, 2),
        "pipeline_cpu_s": round(ours_cpu_s, 2),
        "worker_cpu_s": round(ours.cpu_s, 2),
        "redis_cpu_s": round(beside.redis_cpu_s, 2),
        "flow_cpu_s": round(beside.flow_cpu_s, 2),
        "tokens_per_s": round(tokens / ours.wall_s, 1),
        "loop_tokens_per_s": round(tokens / loop.wall_s, 1),
    }


def _alone(module: str, folder: Path) -> Any:
    from bench.generate.timing import RunTiming

    command = [sys.executable, "-m", f"bench.generate.{module}", str(folder)]
    return RunTiming.parse(
        subprocess.run(command, env=mlx_environment(), stdout=subprocess.PIPE, check=True).stdout
    )


def _same(ours: list[str], theirs: list[str]) -> float:
    same = [one == other for one, other in zip(ours, theirs, strict=True)]
    return round(sum(same) / len(same), 4)


def _parameters(model: Path) -> int:
    """Counted in the file's header, so that this process stays without MLX."""
    from safetensors import safe_open

    with safe_open(model / "model.safetensors", "np") as weights:
        return sum(
            prod(weights.get_slice(name).get_shape())
            for name in weights.keys()  # noqa: SIM118  # no mapping, though it looks like one
        )
