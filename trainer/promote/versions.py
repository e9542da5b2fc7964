"""The pointer to the promoted run: a link that is replaced at once, and what may be thinned.

`runs/live` is a symbolic link to the run that answers, so every command that takes `--name` follows
it. Each run that was judged keeps `promotion.json`; a promoted one names there the one before it,
which is what a rollback goes back to.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from exchange.errors import BadFile, NotFound
from exchange.files import replace_link, write_atomic
from exchange.project import RUNS, run_dir

PROMOTED = "live"  # the link's name among the runs
FILE = "promotion.json"  # beside an adapter that was judged


@dataclass(frozen=True, slots=True)
class CheckedFigure:
    """One thing that the gate looked at: a mean difference with its 95 % interval."""

    name: str  # learned, kept, general, grounded, refusals
    outcome: str  # passed, worse, too wide, not learned, not measured
    why: str  # for people
    value: float | None = None  # of the run that was judged
    before: float | None = None  # of what it was held against
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    allowed: float = 0.0  # how far the low end may lie under zero
    questions: int = 0
    stories: int = 0

    @property
    def passed(self) -> bool:
        return self.outcome in ("passed", "not measured")


@dataclass(frozen=True, slots=True)
class Promotion:
    """What the gate decided about a run."""

    run: str
    against: str  # the run that was promoted before; "" for the base
    passed: bool
    harmful: bool  # its new rows did harm: they are not to be taught again unasked
    reason: str  # in one sentence
    checks: tuple[CheckedFigure, ...] = ()
    known: dict[str, float] = field(default_factory=dict)  # facts by row, as first promoted

    def save(self, folder: Path) -> None:
        """Write it beside the adapter."""
        write_atomic(folder / FILE, orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What was decided about a run; None where nothing was yet.

        Raises:
            BadFile: the file is damaged.
        """
        try:
            raw: dict[str, Any] = orjson.loads((folder / FILE).read_bytes())
            checks = tuple(CheckedFigure(**one) for one in raw.pop("checks"))
            return cls(**raw, checks=checks)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadFile(f"{folder / FILE} is unusable ({error}): delete it") from None


def promoted(archive_dir: Path) -> Path | None:
    """The folder of the run that answers; None while none was promoted."""
    link = run_dir(archive_dir, PROMOTED)
    folder = link.resolve()
    return folder if link.is_symlink() and folder.is_dir() else None


def require_whole(archive_dir: Path) -> None:
    """Refuse to go on without the promoted run where there was one.

    Raises:
        NotFound: its folder is gone.
    """
    link = run_dir(archive_dir, PROMOTED)
    if link.is_symlink() and promoted(archive_dir) is None:
        raise NotFound(
            f"run {link.readlink().name!r} was promoted, and its folder is gone: let another run "
            f"answer (`kkoracle promote --name RUN`), or delete {link} to begin from the base"
        )


def point_to(archive_dir: Path, run: str) -> None:
    """Let this run answer from now on: all readers see the one before or this one, never none.

    Raises:
        NotFound: it has no adapter.
        CannotWrite: the link cannot be replaced; the one before stays.
    """
    folder, link = run_dir(archive_dir, run), run_dir(archive_dir, PROMOTED)
    if not (folder / "adapters.safetensors").exists():
        raise NotFound(f"run {run!r} has no adapter: `kkoracle train --name {run}` makes it")
    if link.exists() and not link.is_symlink():
        raise BadFile(f"{link} is a run of its own: rename it, {PROMOTED!r} is the promoted one")
    replace_link(link, run)


def roll_back(archive_dir: Path) -> tuple[str, str]:
    """Let the run answer that was promoted before the present one.

    Returns:
        The run that answered until now, and the one that does from now on.

    Raises:
        NotFound: nothing is promoted, or nothing was before it.
    """
    current = promoted(archive_dir)
    decided = Promotion.read(current) if current else None
    if current is None or decided is None:
        raise NotFound("nothing was promoted yet, so there is nothing to go back from")
    if not decided.against:
        raise NotFound(f"{current.name} is the first that was promoted: there is none before it")
    point_to(archive_dir, decided.against)
    return current.name, decided.against


def lineage(archive_dir: Path) -> list[str]:
    """The promoted run and those that it goes back to, newest first, as far as they are here."""
    found: list[str] = []
    folder = promoted(archive_dir)
    while folder is not None and folder.is_dir() and folder.name not in found:
        found.append(folder.name)
        decided = Promotion.read(folder)
        folder = run_dir(archive_dir, decided.against) if decided and decided.against else None
    return found


def thin(archive_dir: Path, runs: Sequence[str], *, keep: int, disk_bytes: int) -> list[str]:
    """Remove what no rollback may want any more, and return the names of those runs.

    The promoted run and the one before it always stay; of the others in its lineage the newest, up
    to `keep` in all and as far as they fit; of those that were not promoted none.

    Args:
        runs: that may be removed at all, such as those of earlier mornings.
        disk_bytes: all that is kept may take; 0 for no bound.
    """
    stays: list[str] = []
    total = 0
    for number, name in enumerate(lineage(archive_dir)):
        total += folder_bytes(run_dir(archive_dir, name))
        fits = number < keep and (not disk_bytes or total <= disk_bytes)
        if number < 2 or fits:
            stays.append(name)
    gone = []
    for name in runs:
        folder = archive_dir / RUNS / name
        if name not in stays and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(name)
    return gone


def folder_bytes(folder: Path) -> int:
    """What the files of a folder take."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # being removed this very moment
            total += path.stat().st_size if path.is_file() else 0
    return total
