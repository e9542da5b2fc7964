"""Look at this machine and these settings before forty days are spent on them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from exchange import memory, models, openblas, redis_child, redis_client
from exchange.errors import FAILED, OK, UserError
from exchange.house import House

Level = Literal["ok", "warn", "bad"]
NEEDED_DISK_GB = 20  # a 4-bit model, its download, and an archive of a gigabyte
NEEDED_MEMORY_GB = 14  # a 7B model in 4 bit with 16 rows of keys and values


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and what to do about it."""

    level: Level
    subject: str
    text: str


def examine(house: House) -> list[Finding]:
    """Run every check; a check that cannot run is itself a finding."""
    findings = []
    for check in CHECKS:
        try:
            findings += list(check(house))
        except UserError as error:
            findings.append(Finding("bad", check.__name__.strip("_"), str(error)))
    return findings


def show(findings: list[Finding]) -> int:
    """Print them; returns the exit code."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    marks = {"ok": "[green]ok  [/]", "warn": "[yellow]note[/]", "bad": "[red]BAD [/]"}
    for finding in findings:
        console.print(f"{marks[finding.level]} {finding.subject:9} ", end="")
        console.print(finding.text, markup=False)
    return FAILED if any(finding.level == "bad" for finding in findings) else OK


def _python(house: House) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 14)
    yield Finding(
        "ok" if fits else "bad",
        "python",
        version if fits else f"{version}: install Python 3.11 to 3.14",
    )


def _config(house: House) -> Iterator[Finding]:
    from kkoracle.tables import TABLES, model_of

    for name in TABLES:
        house.config.table(name, model_of(name))
    where = house.config.path or "none: defaults (`kkoracle init` writes one)"
    yield Finding("ok" if house.config.path else "warn", "config", str(where))
    contact = getattr(house.config.table("crawl", model_of("crawl")), "contact", "")
    if not contact:
        yield Finding(
            "bad",
            "contact",
            "set [crawl] contact to your e-mail or web address: newspapers must know who asks",
        )


def _redis(house: House) -> Iterator[Finding]:
    if house.redis.url:
        version = redis_client.check(house.redis.url)
        yield Finding("ok", "redis", f"{redis_client.safe(house.redis.url)}, version {version}")
        return
    binary = redis_child.find_binary()
    yield Finding(
        "ok" if binary else "bad",
        "redis",
        f"ours, started when needed: {binary}" if binary else redis_child.INSTALL,
    )


def _mlx(house: House) -> Iterator[Finding]:
    if importlib.util.find_spec("mlx_lm") is None:
        yield Finding(
            "warn", "mlx", "not installed: pip install 'kkoracle[mlx]' (or use the openai engine)"
        )
        return
    yield Finding("ok", "mlx", "installed")
    if openblas.needed():
        library = openblas.find()
        yield Finding("ok" if library else "warn", "blas", str(library or openblas.ADVICE))


def _model(house: House) -> Iterator[Finding]:
    settings = house.config.table("model", models.Model)
    try:
        found = models.locate(settings, house.models, confirm=lambda _: False)
        yield Finding("ok", "model", str(found))
    except UserError as error:
        yield Finding("warn", "model", f"{settings.name}: {error}")


def _memory(house: House) -> Iterator[Finding]:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    fits = size >= NEEDED_MEMORY_GB
    yield Finding(
        "ok" if fits else "warn",
        "memory",
        f"{size:.0f} GB"
        + (
            ""
            if fits
            else f": a 7B model wants {NEEDED_MEMORY_GB}; choose a smaller one, or let an "
            "endpoint on another machine generate"
        ),
    )


def _width(house: House) -> Iterator[Finding]:
    from workers.engines import width
    from workers.settings import Work

    work = house.config.table("work", Work)
    if work.engine != "mlx":
        return
    try:
        settings = house.config.table("model", models.Model)
        folder = models.locate(settings, house.models, confirm=lambda _: False)
    except UserError:  # the model's own line says so
        return
    float32 = openblas.needed()
    plan = width.plan(folder, work.width, work.max_tokens, memory.usable(), float32=float32)
    yield Finding("ok" if plan.fits else "warn", "batch", str(plan))


def _disk(house: House) -> Iterator[Finding]:
    folder = next(path for path in (house.data, *house.data.parents) if path.exists())
    free = shutil.disk_usage(folder).free / 1e9
    fits = free >= NEEDED_DISK_GB
    yield Finding(
        "ok" if fits else "warn",
        "disk",
        f"{free:.0f} GB free in {folder}"
        + ("" if fits else f": an archive and a 7B model want about {NEEDED_DISK_GB}"),
    )


def _sleep(house: House) -> Iterator[Finding]:
    from kkoracle.beside import awake
    from kkoracle.beside.settings import Operate

    if not house.config.table("operate", Operate).keep_awake:
        yield Finding("warn", "sleep", "[operate] keep_awake is off: a machine that sleeps waits")
    elif tool := awake.command():
        yield Finding(
            "ok", "sleep", f"held back by {tool[0]} while work is left (not by a closed lid)"
        )
    else:
        yield Finding("ok", "sleep", "servers do not sleep; a laptop wants systemd-inhibit")


CHECKS: tuple[Callable[[House], Iterator[Finding]], ...] = (
    _python,
    _config,
    _redis,
    _mlx,
    _model,
    _memory,
    _width,
    _disk,
    _sleep,
)
