"""Environments for the programs that we are measured against: one each, made once, then reused.

They lie in the user's cache folder and never in ours, so a peer's dependencies cannot change what
is measured. A changed list of packages makes a new environment; an old one may be deleted at any
time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.registry import Log
from exchange.errors import ProgramFailed
from exchange.lock import FileLock

PEERS: dict[str, tuple[str, ...]] = {
    "scrapy": ("scrapy==2.19.0", "trafilatura==2.3.1", "lxml-html-clean>=0.4"),
    "datasette": ("datasette>=0.65,<1",),
    "trafilatura": ("trafilatura==2.3.1", "lxml-html-clean>=0.4"),
}
READY = "ready"  # written last: without it an environment is half made


def python(name: str, log: Log | None = None) -> Path:
    """The interpreter of a peer's environment; the first call installs it.

    Two benches that ask at the same time wait for each other.

    Args:
        name: one of `PEERS`.
        log: told once if something has to be installed.

    Raises:
        UserError: the packages cannot be had; one line says what pip said.
    """
    wanted = PEERS[name]
    folder = cache() / f"{name}-{_version(wanted)}"
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    lock.acquire(wait=True)
    try:
        if not (folder / READY).exists():
            if log is not None:
                log(f"installing {wanted[0]} in {folder} (once)")
            _make(folder, wanted)
    finally:
        lock.release()
    return folder / "bin" / "python"


def cache() -> Path:
    """Where the environments lie."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "kkoracle" / "peers"


def _make(folder: Path, packages: tuple[str, ...]) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # what a killed attempt left
    folder.parent.mkdir(parents=True, exist_ok=True)
    _call([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    _call(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(folder / "bin" / "python"),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *packages,
        ]
    )
    (folder / READY).touch()


def _call(command: list[str]) -> None:
    said = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if said.returncode:
        last = (said.stderr or said.stdout).strip().splitlines()[-1:] or ["no word of why"]
        raise ProgramFailed(f"cannot install the peer ({' '.join(command[-2:])}): {last[0]}")


def _version(packages: tuple[str, ...]) -> str:
    """Names the environment: another list of packages, or another Python, is another one."""
    told = "\n".join((*packages, sys.version.partition(" ")[0]))
    return hashlib.blake2b(told.encode(), digest_size=4).hexdigest()
