"""Look at this machine and these settings before forty days are spent on them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from exchange import lock, machine
from exchange.cli.options import print_json
from exchange.display import format_bytes
from exchange.errors import FAILED, OK, UserError
from exchange.inference import models, openblas
from exchange.inference.speech import SpeechSample
from exchange.machine import install_command
from exchange.project import Project
from exchange.queue import redis_client, redis_process
from exchange.queue.redis_clock import find_skew
from exchange.recipes.prompts import FALLBACK, general_questions
from exchange.text.controls import one_line
from kkoracle.cli.setup_checks import SETUP_CHECKS, Finding

NEEDED_DISK_GB = 20  # a 4-bit model, its download, and an archive of a gigabyte
SPEECH_S = 300  # for loading the model and two short answers; a 7B one on a slow disk takes minutes
NEEDED_MEMORY_GB = 14  # a 7B model in 4 bit with 16 rows of keys and values


def run_checks(project: Project) -> list[Finding]:
    """Run every check; a check that cannot run is itself a finding."""
    findings = []
    for check in CHECKS:
        try:
            findings += list(check(project))
        except UserError as error:
            findings.append(Finding("bad", check.__name__.strip("_"), str(error)))
    return findings


def print_findings(findings: list[Finding], *, as_json: bool = False) -> int:
    """Print them; returns the exit code."""
    code = FAILED if any(finding.level == "bad" for finding in findings) else OK
    if as_json:
        print_json({"ok": code == OK, "findings": [asdict(finding) for finding in findings]})
        return code
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    marks = {"ok": "[green]ok  [/]", "warn": "[yellow]note[/]", "bad": "[red]BAD [/]"}
    for finding in findings:
        console.print(f"{marks[finding.level]} {finding.subject:9} ", end="")
        console.print(finding.text, markup=False)
    return code


def _redis(project: Project) -> Iterator[Finding]:
    from kkoracle.status.read import redis_url

    if url := redis_url(project):
        version = redis_client.check_redis(url)
        yield Finding("ok", "redis", f"{redis_client.safe_url(url)}, version {version}")
        if apart := find_skew(url):
            yield Finding("warn", "clock", apart)
        return
    binary = redis_process.find_binary()
    found = f"ours, started when needed: {binary}" if binary else redis_process.install_hint()
    yield Finding("ok" if binary else "bad", "redis", found)


def _mlx(project: Project) -> Iterator[Finding]:
    if not _has_mlx():
        yield Finding(
            "warn", "mlx", f"not installed: {install_command('mlx')} (or use the openai engine)"
        )
        return
    yield Finding("ok", "mlx", "installed")
    if openblas.needed():
        library = openblas.find()
        yield Finding("ok" if library else "warn", "blas", str(library or openblas.ADVICE))


def _model(project: Project) -> Iterator[Finding]:
    settings = project.config.table("model", models.ModelSettings)
    try:
        found = models.locate(settings, project.models, confirm=lambda _: False)
        yield Finding("ok", "model", str(found))
    except UserError as error:
        # A name on the Hub is fetched when it is first needed; a folder has to be there.
        fetched = models.is_hub_name(settings.name)
        yield Finding("warn" if fetched else "bad", "model", f"{settings.name}: {error}")


def _speech(project: Project) -> Iterator[Finding]:
    """The model says something, in a process of its own: its files alone prove little."""
    from workers.settings import WorkSettings

    settings = project.config.table("model", models.ModelSettings)
    try:
        folder = models.locate(settings, project.models, confirm=lambda _: False)
    except UserError:  # the model's own line says so
        return
    if project.config.table("work", WorkSettings).engine != "mlx" or not _has_mlx():
        return
    language = project.language()
    try:
        with lock.hold_gpu(project.data) if project.data.exists() else nullcontext():
            heard = _hear(folder, language)
    except UserError:
        yield Finding("ok", "speech", "not asked: the model is at work")
        return
    if isinstance(heard, str):
        yield Finding("bad", "speech", heard)
        return
    yield Finding("warn" if heard.problems() else "ok", "speech", str(heard))
    if not heard.context:
        names = " or ".join(models.CONTEXT_NAMES[:2])
        yield Finding(
            "warn",
            "context",
            f"{folder / models.CONFIG} does not say how long a text may be ({names}): nothing is "
            "refused as too long, and what is too long comes out as nonsense",
        )
    else:
        yield Finding("ok", "context", f"{heard.context:,} tokens")


def _hear(folder: Path, language: str) -> SpeechSample | str:
    """What the model said, or why it could not; in English where we have no text in a language."""
    language = language if general_questions(language) else FALLBACK
    command = [sys.executable, "-P", "-m", "exchange.inference.speech", str(folder), language]
    try:
        ended = subprocess.run(
            command,
            input="\n".join(general_questions(language)),
            env=openblas.environment(),
            capture_output=True,
            text=True,
            timeout=SPEECH_S,
            check=False,
        )
        said = json.loads(ended.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return f"it said nothing in {SPEECH_S} s: this machine is too slow for it"
    except (ValueError, IndexError):
        last = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        return f"loading it failed: {one_line(last[0], 160)}"
    return str(said["error"]) if "error" in said else SpeechSample(**said)


def _has_mlx() -> bool:
    return importlib.util.find_spec("mlx_lm") is not None


def _memory(project: Project) -> Iterator[Finding]:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    fits = size >= NEEDED_MEMORY_GB * 1e9
    yield Finding(
        "ok" if fits else "warn",
        "memory",
        format_bytes(size)
        + (
            ""
            if fits
            else f": a 7B model wants {format_bytes(NEEDED_MEMORY_GB * 1e9)}; choose a smaller "
            "one, or let an endpoint on another machine generate"
        ),
    )


def _width(project: Project) -> Iterator[Finding]:
    from exchange.inference import batch_width
    from workers.settings import WorkSettings

    work = project.config.table("work", WorkSettings)
    if work.engine != "mlx":
        return
    try:
        settings = project.config.table("model", models.ModelSettings)
        folder = models.locate(settings, project.models, confirm=lambda _: False)
    except UserError:  # the model's own line says so
        return
    float32 = openblas.needed()
    plan = batch_width.plan(
        folder, work.width, work.max_tokens, machine.usable_memory(), float32=float32
    )
    yield Finding("ok" if plan.fits else "warn", "batch", str(plan))


def _disk(project: Project) -> Iterator[Finding]:
    folder = next(path for path in (project.data, *project.data.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    fits = free >= NEEDED_DISK_GB * 1e9
    yield Finding(
        "ok" if fits else "warn",
        "disk",
        f"{format_bytes(free)} free in {folder}"
        + (
            ""
            if fits
            else f": an archive and a 7B model want about {format_bytes(NEEDED_DISK_GB * 1e9)}"
        ),
    )


def _sleep(project: Project) -> Iterator[Finding]:
    from kkoracle.monitor import awake
    from kkoracle.settings import MonitorSettings

    if not project.config.table("operate", MonitorSettings).keep_awake:
        yield Finding("warn", "sleep", "[operate] keep_awake is off: a machine that sleeps waits")
    elif tool := awake.inhibit_command():
        yield Finding(
            "ok", "sleep", f"held back by {tool[0]} while work is left (not by a closed lid)"
        )
    else:
        yield Finding("ok", "sleep", "servers do not sleep; a laptop wants systemd-inhibit")


CHECKS: tuple[Callable[[Project], Iterator[Finding]], ...] = (
    *SETUP_CHECKS,
    _redis,
    _mlx,
    _model,
    _speech,
    *(_memory, _width, _disk, _sleep),
)
