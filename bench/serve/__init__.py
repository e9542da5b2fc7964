"""`kkoracle serve` against mlx_lm.server: the same model, adapter, questions and clients.

A random model of about 20 million weights (float32 on a CPU) with a random adapter, greedy, so
both should say the same. Each server answers all requests to the tuned model, then, in a second
life, requests that ask base and tuned in turn. What a server takes before its first request is
measured by itself and taken off.

tuned_ratio   processor time of mlx_lm.server over ours, all requests to the tuned model
mixed_ratio   the same when every second request is to the base, which mlx_lm.server loads anew
identical     share of requests that both answered with the same Greek letters; with random
              weights some tokens are near ties, and sums in another order tip them
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.registry import BenchSettings, Figures

SEED = 7
NOT_FOR_JUDGING = ("*_ratio", "*_cpu_s", "*_identical")
REQUESTS, QUICK = 96, 16
CLIENTS = 16


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--requests", type=int, help=f"default: {REQUESTS}, quick {QUICK}")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="requests at a time")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Both servers, both kinds of requests."""
    from bench.serve.servers import KkoracleServer, MlxLmServer, serve, share_equal
    from bench.serve.workload import make

    count = args.requests or (QUICK if settings.quick else REQUESTS)
    figures: Figures = {"requests": count, "clients": args.clients}
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as name:
        settings.log("making model, adapter and questions")
        material = make(Path(name), count, SEED)
        idle = {}
        for kind in (KkoracleServer, MlxLmServer):
            settings.log(f"{kind.name}: starting and ending")
            idle[kind.name] = serve(kind, material, [], args.clients).cpu_s
        for what, mixed in (("tuned", False), ("mixed", True)):
            models = ["base" if mixed and number % 2 else "tuned" for number in range(count)]
            took = []
            for kind in (KkoracleServer, MlxLmServer):
                settings.log(f"{kind.name}: {count} requests, {what}")
                took.append(serve(kind, material, models, args.clients))
            ours, theirs = took
            mine_s = ours.cpu_s - idle[KkoracleServer.name]
            peer_s = theirs.cpu_s - idle[MlxLmServer.name]
            figures |= {
                f"{what}_ratio": round(peer_s / mine_s, 2),
                f"{what}_cpu_s": round(mine_s, 2),
                f"{what}_peer_cpu_s": round(peer_s, 2),
                f"{what}_identical": share_equal(ours.answers, theirs.answers),
                f"{what}_tokens_out": ours.tokens,
            }
    return figures
