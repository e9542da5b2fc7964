"""Prints the figures of a model on the sample newspaper, as the README quotes them.

    python -m tools.demo_model.measure [--model DIR --size 120 --sample 0 --wrong 10]

Runs in torch, greedy, float32; `--sample 0` takes every chunk.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer

from kkoracle.demo.model import weights_folder
from kkoracle.demo.newspaper import build_newspaper
from tools.demo_model import network as nets
from tools.demo_model.evaluation import chunks, pair_metrics, task_metrics


def main(argv: list[str] | None = None) -> int:
    """Prints one JSON line, then the first wrong chunks if asked for."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo_model.measure")
    parser.add_argument("--model", type=Path, default=weights_folder())
    parser.add_argument("--size", type=int, default=120, help="chunk size in characters")
    parser.add_argument("--sample", type=int, default=0, help="chunks to look at, 0 for all")
    parser.add_argument("--wrong", type=int, default=0, help="wrong chunks to print")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    network = nets.load(args.model)
    newspaper = build_newspaper()
    pieces = chunks(newspaper, args.size)
    if args.sample:
        pieces = random.Random(0).sample(pieces, min(args.sample, len(pieces)))
    figures, wrong = pair_metrics(network, tokenizer, pieces)
    figures |= task_metrics(network, tokenizer, newspaper, 100)
    sys.stdout.write(json.dumps({"size": args.size, **figures}) + "\n")
    for piece, text in wrong[: args.wrong]:
        known = ", ".join(f"{fact.frame} ({fact.known})" for fact in piece.facts)
        sys.stdout.write(f"\n{piece.text}\n[{known}]\n-> {text}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
