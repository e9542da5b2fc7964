"""Serves the sample newspaper until it is told to stop.

    python -m kkoracle.demo.newspaper --port 0 [--stories N --seed S --truth FILE --announce FILE]

Prints the base address on one line. A port in use is a one-line error and exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from exchange import signals
from exchange.files import write_atomic
from kkoracle.demo.newspaper import SampleNewspaper, build_newspaper, serve, write_truth


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m kkoracle.demo.newspaper")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--stories", type=int, default=320, help="at least 60")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--language", choices=("el", "en"), default="el")
    parser.add_argument("--truth", type=Path, help="write the truth to this file")
    parser.add_argument("--announce", type=Path, help="write the address to this file")
    return parser.parse_args(argv)


async def _serve(newspaper: SampleNewspaper, args: argparse.Namespace) -> None:
    stop = asyncio.Event()
    runner, port = await serve(newspaper, args.host, args.port)
    url = f"http://{args.host}:{port}"
    sys.stdout.write(url + "\n")
    sys.stdout.flush()
    if args.announce is not None:
        write_atomic(args.announce, url + "\n", sync=False)
    try:
        with signals.stop_on_signal_in_loop(stop.set):
            await stop.wait()
    finally:
        await runner.cleanup()


def main(argv: list[str] | None = None) -> int:
    """Runs the server; 0 after a stop signal, 1 when it cannot listen, 2 on a bad number."""
    args = _arguments(argv)
    try:
        newspaper = build_newspaper(args.seed, args.stories, language=args.language)
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    try:
        if args.truth is not None:
            write_truth(newspaper, args.truth)
        asyncio.run(_serve(newspaper, args))
    except OSError as error:
        reason = error.strerror or error
        sys.stderr.write(f"error: cannot serve on {args.host}:{args.port}: {reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
