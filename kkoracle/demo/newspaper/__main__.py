"""Serves the sample newspaper until it is told to stop.

    python -m kkoracle.demo.newspaper --port 0 [--stories N --seed S --truth FILE]

Prints the base address on one line. A port in use is a one-line error and exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from pathlib import Path

from exchange import signals
from exchange.errors import UserError
from exchange.net import listen
from kkoracle.demo.newspaper import SampleNewspaper, build_newspaper, serve, write_truth


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m kkoracle.demo.newspaper")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--fd", type=int, help="a socket that listens already, in place of both")
    parser.add_argument("--stories", type=int, default=320, help="at least 60")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--language", choices=("el", "en"), default="el")
    parser.add_argument("--truth", type=Path, help="write the truth to this file")
    return parser.parse_args(argv)


async def _serve(newspaper: SampleNewspaper, listener: socket.socket) -> None:
    stop = asyncio.Event()
    runner = await serve(newspaper, listener)
    host, port = listener.getsockname()[:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
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
        if args.fd is not None:
            listener = socket.socket(fileno=args.fd)
        else:
            listener = listen(args.host, args.port)
        if args.truth is not None:
            write_truth(newspaper, args.truth)
        asyncio.run(_serve(newspaper, listener))
    except (OSError, UserError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
