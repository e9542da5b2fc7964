"""How much of the allowed rate is used, and whether the site is ever asked faster or too early.

Five requests a second are allowed; every answer takes a quarter of a second, so that one after
the other would not do; extraction runs meanwhile. The server's clock is what counts. Scrapy runs
beside it with the same delay, as it comes and with AutoThrottle.

rate_used          requests over those allowed, in the best of three windows of 30 s
max_in_one_second  most requests that came within one second of that window
min_gap_share      its smallest gap between two requests, over the delay
requests_before_retry_after  requests begun after the headers of a refusal (429 with Retry-After)
                   had come and before the time it named, in a run that goes on and in one that
                   is killed and started again
..._default, ..._autothrottle  the same of Scrapy, from one window
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bench import peers
from bench.crawl import commands
from bench.crawl.commands import CrawlCommand
from bench.crawl.serving import ServedRequest, read_requests, serve_site
from bench.registry import BenchSettings, Figures

SEED = 7
NOT_FOR_JUDGING = ("rate_used*", "min_gap_share*", "all_windows")
DELAY_S, LATENCY_S, CONCURRENCY = 0.2, 0.25, 4
WINDOW_S, QUICK_WINDOW_S, WINDOWS = 30.0, 5.0, 3
REFUSE_AT, RETRY_AFTER_S = 12, 8
UNDER_WAY_S = 0.05  # a request that came this soon after the refusal was begun before it


@dataclass(frozen=True, slots=True)
class RequestWindow:
    """What the server saw in one window."""

    rate_used: float
    max_in_one_second: int
    min_gap_share: float


def options(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Ours in one long run, then the refusals, then Scrapy."""
    window_s = QUICK_WINDOW_S if settings.quick else WINDOW_S
    python = peers.python("scrapy", settings.log)
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as name:
        bench = _PolitenessBench(Path(name), python, settings)
        settings.log(f"ours at {1 / DELAY_S:.0f} requests a second, {WINDOWS} windows")
        windows = bench.windows("ours", window_s, WINDOWS)
        early = {
            "": bench.early("ours"),
            "_restarted": bench.early("ours", restart=True),
            "_default": bench.early("default"),
        }
        rivals = {who: bench.windows(who, window_s, 1)[0] for who in ("default", "autothrottle")}
    best = max(windows, key=lambda window: (round(window.rate_used, 2), window.min_gap_share))
    figures: Figures = {
        "delay_s": DELAY_S,
        "window_s": window_s,
        "rate_used": round(best.rate_used, 3),
        "max_in_one_second": best.max_in_one_second,
        "min_gap_share": round(best.min_gap_share, 3),
        "all_windows": [
            [round(w.rate_used, 3), w.max_in_one_second, round(w.min_gap_share, 3)] for w in windows
        ],
        "requests_before_retry_after": early[""] + early["_restarted"],
        "requests_before_retry_after_default": early["_default"],
    }
    for who, window in rivals.items():
        figures[f"rate_used_{who}"] = round(window.rate_used, 3)
        figures[f"max_in_one_second_{who}"] = window.max_in_one_second
        figures[f"min_gap_share_{who}"] = round(window.min_gap_share, 3)
    return figures


def judge(times: list[float], begin: float, window_s: float) -> RequestWindow:
    """The figures of the window that begins at `begin`.

    Args:
        times: of all requests, in order; a gap counts in the window in which it ends.
    """
    inside = [at for at in times if begin <= at < begin + window_s]
    busiest = max((sum(at <= other < at + 1.0 for other in inside) for at in inside), default=0)
    gaps = [late - soon for soon, late in pairwise(times) if begin <= late < begin + window_s]
    return RequestWindow(
        len(inside) * DELAY_S / window_s, busiest, min(gaps, default=0.0) / DELAY_S
    )


def too_early(requests: list[ServedRequest]) -> int:
    """Requests begun between a refusal and the time that it named.

    Raises:
        ValueError: nothing was refused, or nothing came afterwards.
    """
    refused = next((one.at for one in requests if one.status == 429), None)
    if refused is None or requests[-1].at < refused + RETRY_AFTER_S:
        raise ValueError("the crawl ended before the refusal did")
    sent = refused + LATENCY_S  # when the headers went out
    return sum(sent + UNDER_WAY_S < one.at < sent + RETRY_AFTER_S for one in requests)


class _PolitenessBench:
    def __init__(self, folder: Path, python: Path, settings: BenchSettings) -> None:
        self._folder = folder
        self._python = python
        self._log = settings.log

    def windows(self, who: str, window_s: float, count: int) -> list[RequestWindow]:
        """Crawl for that long, from the first story on."""
        with self._crawling(who, "windows") as (log, start):
            start()
            self._wait(
                log, lambda found: sum("/story/" in one.path for one in found) >= CONCURRENCY
            )
            begin = next(one.at for one in read_requests(log) if "/story/" in one.path)
            while time.monotonic() < begin + window_s * count:
                time.sleep(0.2)
            times = [one.at for one in read_requests(log)]
        found = [judge(times, begin + turn * window_s, window_s) for turn in range(count)]
        for window in found:
            self._log(
                f"{who}: {window.rate_used:.3f} of the rate used, at most "
                f"{window.max_in_one_second} in a second, smallest gap "
                f"{window.min_gap_share:.2f} of the delay"
            )
        return found

    def early(self, who: str, *, restart: bool = False) -> int:
        """Let one request be refused; with `restart` kill the crawl then and start it again."""
        refuse = ("--refuse-at", str(REFUSE_AT), "--retry-after", str(RETRY_AFTER_S))
        with self._crawling(who, f"refused-{restart}", *refuse) as (log, start):
            process = start()
            self._wait(log, lambda found: any(one.status == 429 for one in found))
            if restart:
                time.sleep(LATENCY_S + 0.5)
                process.kill()
                process.wait()
                start()
            refused = next(one.at for one in read_requests(log) if one.status == 429)
            self._wait(log, lambda found: found[-1].at > refused + RETRY_AFTER_S + 1)
            count = too_early(read_requests(log))
        self._log(f"{who}: {count} requests before Retry-After" + " (killed, restarted)" * restart)
        return count

    @contextmanager
    def _crawling(self, who: str, what: str, *options: str) -> Iterator[tuple[Path, CrawlCommand]]:
        folder = self._folder / f"{who}-{what}"
        folder.mkdir()
        log = folder / "requests"
        shown = ("--log", str(log), "--latency", str(LATENCY_S), *options)
        with ExitStack() as stack:
            url = stack.enter_context(serve_site(1000, SEED, *shown))
            start = CrawlCommand(self._command(who, url, folder), folder)
            stack.callback(start.end)
            yield log, start

    def _command(self, who: str, url: str, folder: Path) -> list[str]:
        if who == "ours":
            return commands.ours(url, folder, CONCURRENCY, "profile", DELAY_S)
        return commands.scrapy(
            self._python, url, folder, CONCURRENCY, "text", DELAY_S, auto=who == "autothrottle"
        )

    def _wait(self, log: Path, enough: Callable[[list[ServedRequest]], bool]) -> None:
        deadline = time.monotonic() + 60
        while not ((found := read_requests(log)) and enough(found)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no such request within a minute; see {log}")
            time.sleep(0.05)
