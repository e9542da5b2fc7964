"""`python -m bench`: list the benches, or run one."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys

import orjson

from bench import registry
from exchange import signals
from exchange.errors import STOPPED, UserError
from exchange.inference import openblas


def main(argv: list[str] | None = None) -> int:
    """Run the bench that is named; the last line on standard output is its JSON object."""
    args = _parser().parse_args(argv)
    if not args.name:
        for name in registry.NAMES:
            print(f"{name:10} {registry.summary(registry.load(name))}")
        print("\npython -m bench NAME [--quick] [--json]")
        return 0
    bench = registry.load(args.name)
    signals.raise_interrupts()  # so that no child is left behind
    # A script's background is deaf to Ctrl-C and hands that on; the servers here are ended by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings = registry.BenchSettings(
        args.quick, lambda text: print(text, file=sys.stderr, flush=True)
    )
    try:
        figures = bench.run(args, settings)
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return STOPPED
    rough = registry.not_for_judging(bench, figures) if args.quick else []
    if not args.json:
        width = max(len(name) for name in figures)
        for name, value in figures.items():
            print(f"{name:{width}}  {'n/a' if value is None else value}")
        if rough:
            print(f"\nmeasured on too little work to judge by (--quick): {', '.join(rough)}")
    print(to_line(args.name, figures, bench.SEED, quick=args.quick, rough=rough))
    return 0


def to_line(
    name: str, figures: registry.Figures, seed: int, *, quick: bool, rough: list[str]
) -> str:
    """One line of JSON: the figures, and under what conditions they were seen.

    Args:
        rough: the figures that are not for judging.
    """
    about = {
        "bench": name,
        "quick": quick,
        "not_for_judging": rough,
        "seed": seed,
        "load": [round(value, 2) for value in os.getloadavg()],
        "cores": os.cpu_count(),
        "openblas": openblas.loaded(),  # without it MLX on a CPU is 30 times slower
        "machine": f"{platform.system()} {platform.machine()}",
    }
    return orjson.dumps({**about, **figures}).decode()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=registry.__doc__)
    benches = parser.add_subparsers(dest="name", metavar="NAME")
    for name in registry.NAMES:
        bench = registry.load(name)
        chosen = benches.add_parser(
            name,
            help=registry.summary(bench).replace("%", "%%"),  # argparse fills in after a %
            description=bench.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        chosen.add_argument("--quick", action="store_true", help="a smaller measurement")
        chosen.add_argument("--json", action="store_true", help="print the JSON line only")
        bench.options(chosen)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
