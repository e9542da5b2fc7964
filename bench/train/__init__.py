"""Our training loop against mlx_lm.lora, on the same rows, model, layers and rank.

A random model of 14 million weights (float32 on a CPU); rows of 60 to 250 tokens, 130 on average,
a third of each the question, which is masked. Each runs in a process of its own; processor time
of the training alone, loading left out.

samples_ratio     rows per processor second, ours over theirs, all layers tuned, one epoch
cached_ratio      the same for the upper half of the layers; ours is the second epoch, with the
                  frozen layers' activations from the activation cache
uncached_ratio    the same for our first epoch, which fills the cache
distil_first      what a row costs with recipe distil over what it costs with sft, in the first
                  epoch; asking the teacher about all rows is in it
distil_later      the same for the second epoch
grad_max_diff     largest difference of our gradient to that of plain single rows, all logits
padding           share of what we compute that is pads; theirs_padding: of mlx_lm.lora
samples_dropped   rows that we did not see in every epoch; theirs_dropped: of mlx_lm.lora
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from bench.processes import mlx_environment
from bench.registry import BenchSettings, Figures
from exchange.errors import ProgramFailed

SEED = 7
NOT_FOR_JUDGING = (
    "samples_ratio",
    "cached_ratio",
    "uncached_ratio",
    "distil_first",
    "distil_later",
    "*_cpu_s",
)
ROWS, QUICK = 203, 83  # not divisible by the batch: what is left over should be seen too
CHECKED = 24  # rows of the gradient's check


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--rows", type=int, help=f"default: {ROWS}, quick {QUICK}")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """All of them in turn."""
    from bench.train.workload import BATCH, CHUNK, PER_CHUNK, SIZES, make

    count = args.rows or (QUICK if settings.quick else ROWS)
    layers: int = SIZES["layers"]
    half = layers // 2
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as name:
        folder = Path(name)
        settings.log(f"making model and {count} rows (seed {SEED})")
        make(folder, count)
        settings.log("all layers: ours, then mlx_lm.lora")
        ours = _alone("ours", folder, layers, 1, "all")
        theirs = _alone("theirs", folder, layers)
        settings.log("all layers, two epochs: ours with recipe distil, then with sft")
        distilled = _alone("ours", folder, layers, 2, "distil", "distil")
        plain = _alone("ours", folder, layers, 2, "sft")
        settings.log("upper half: ours with the activation cache, two epochs, then mlx_lm.lora")
        cached = _alone("ours", folder, half, 2, "half")
        upper = _alone("theirs", folder, half)
        settings.log("the gradient beside that of single rows")
        gradient = _alone("plain", folder, CHECKED)
    speed = [told["samples"] / told["cpu_s"] for told in (theirs, upper)]
    return {
        "samples_ratio": round(ours["samples"] / ours["cpu_s"][0] / speed[0], 3),
        "cached_ratio": round(cached["samples"] / cached["cpu_s"][1] / speed[1], 3),
        "uncached_ratio": round(cached["samples"] / cached["cpu_s"][0] / speed[1], 3),
        "distil_first": round(distilled["cpu_s"][0] / plain["cpu_s"][0], 3),
        "distil_later": round(distilled["cpu_s"][1] / plain["cpu_s"][1], 3),
        **gradient,
        "padding": round(ours["padding"], 4),
        "theirs_padding": round(theirs["padding"], 4),
        "samples_dropped": ours["dropped"] + cached["dropped"],
        "theirs_dropped": count - theirs["samples"],
        "rows": count,
        "tokens": ours["tokens"],
        "answer_share": round(ours["answers"] / ours["tokens"], 3),
        "batch": BATCH,
        "chunk_tokens": CHUNK,
        "rows_a_chunk": PER_CHUNK,
        "layers": [layers, half],
        "parameters": ours["parameters"],
        "trunk_mb": cached["trunk_mb"],
        "ours_cpu_s": [round(seconds, 2) for seconds in (*ours["cpu_s"], *cached["cpu_s"])],
        "distil_cpu_s": [round(seconds, 2) for seconds in (*distilled["cpu_s"], *plain["cpu_s"])],
        "theirs_cpu_s": [round(theirs["cpu_s"], 2), round(upper["cpu_s"], 2)],
        "peer": f"mlx-lm {theirs['version']}",
    }


def _alone(module: str, folder: Path, *args: Any) -> dict[str, Any]:
    """What a process of its own says in its last line.

    Raises:
        ProgramFailed: it failed.
    """
    command = [sys.executable, "-m", f"bench.train.{module}", str(folder), *map(str, args)]
    ended = subprocess.run(command, env=mlx_environment(), stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise ProgramFailed(f"{module} ended with exit code {ended.returncode}: see above")
    told: dict[str, Any] = orjson.loads(ended.stdout.splitlines()[-1])
    return told
