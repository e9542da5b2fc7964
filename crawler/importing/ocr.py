"""Scans: a PDF of pictures gets a text layer from OCRmyPDF (the `ocr` extra), in its own process.

OCRmyPDF needs Tesseract with the archive's language on the machine. The page then holds the new
PDF and is extracted as any other; it stays known by what the file was.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from crawler.frontier import pages
from crawler.frontier.raw_store import RawStore, fingerprint
from exchange.lock import daemon_lock
from exchange.machine import install_command, python_module
from exchange.store import db

SCAN = "scan"  # the outcome of a PDF whose pages are pictures
LIMIT_S = 4 * 3600.0  # for one file: a year's volume takes hours
_READ = "ocr"  # kept as such a page's validator: files have none
# Where Tesseract's name of a language is not its ISO 639-2 code.
_TESSERACT = {"zh": "chi_sim", "no": "nor", "nb": "nor"}


def tesseract_language(language: str) -> str:
    """Tesseract's name of a language given by its ISO 639-1 code: "ell" for "el".

    CLDR lists the three letters of each code; of two the one that begins as the code does is
    ISO 639-2/T, which Tesseract goes by.
    """
    from babel.core import get_global

    known = [long for long, short in get_global("language_aliases").items() if short == language]
    found = [long for long in known if len(long) == 3 and long[0] == language[0]]
    return _TESSERACT.get(language) or min(
        found, key=lambda long: (language[-1] not in long, long), default=language
    )


def missing_for_ocr(language: str) -> str:
    """What OCR needs and does not find here, in one line; "" when it can be done."""
    if find_spec("ocrmypdf") is None:
        return f"{install_command('ocr')} does it with the import"
    name = tesseract_language(language)
    if shutil.which("tesseract") is None:
        return f"the ocr extra needs tesseract with its language {name} on this machine"
    listed = subprocess.run(
        ["tesseract", "--list-langs"], capture_output=True, text=True, check=False
    )
    if name not in listed.stdout.split():
        return f"tesseract has no language {name} here (such as the package tesseract-ocr-{name})"
    return ""


def count_scans(directory: Path, keys: Iterable[str]) -> int:
    """How many of these pages are scans that nobody has read yet."""
    connection = pages.connect_readonly(directory)
    try:
        return len(_scans(connection, keys))
    finally:
        connection.close()


async def read_scans(
    directory: Path, keys: Iterable[str], language: str, on_progress: Callable[[int, int], None]
) -> int:
    """Give these pages' scans a text layer; returns how many could not be read.

    Each is written as it is done, and its text is due again: a kill costs the one in hand.

    Raises:
        Busy: a daemon runs on this archive.
    """
    name = tesseract_language(language)
    failed = 0
    with ExitStack() as stack:
        stack.enter_context(daemon_lock(directory))
        connection = pages.connect(directory)
        stack.callback(connection.close)
        bodies = RawStore(connection)
        scans = _scans(connection, keys)
        for done, page in enumerate(scans):
            on_progress(done, len(scans))
            body = _with_text(bodies.get(page) or b"", name)
            if body is None:
                failed += 1
                continue
            with db.transaction(connection):
                bodies.put(page, body)
                connection.execute(
                    "UPDATE pages SET text='waiting', etag=?, body_hash=? WHERE id=?",
                    (_READ, fingerprint(body), page),
                )
    return failed


def settle_scans(directory: Path) -> None:
    """What is a scan even after it was read has no text; call with no daemon running."""
    connection = pages.connect(directory)
    try:
        with db.transaction(connection):
            connection.execute(
                "UPDATE pages SET text='no-text' WHERE text=? AND etag=?", (SCAN, _READ)
            )
    finally:
        connection.close()


def _scans(connection: sqlite3.Connection, keys: Iterable[str]) -> list[int]:
    wanted = "SELECT id FROM pages WHERE key=? AND text=? AND etag<>?"
    found = (connection.execute(wanted, (key, SCAN, _READ)).fetchone() for key in keys)
    return [row[0] for row in found if row is not None]


def _with_text(body: bytes, language: str) -> bytes | None:
    """A PDF with the text of its pictures; None when it cannot be read. Pages with text stay."""
    with tempfile.TemporaryDirectory(prefix="kkoracle-ocr-") as folder:
        scan, made = Path(folder, "scan.pdf"), Path(folder, "text.pdf")
        scan.write_bytes(body)
        command = python_module(
            "ocrmypdf",
            "-l",
            language,
            "--skip-text",
            "--output-type",
            "pdf",
            "--quiet",
            str(scan),
            str(made),
        )
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},  # it has processes enough
        )
        try:
            code = child.wait(LIMIT_S)
        except BaseException as error:  # whatever ended the wait, its own children end with it
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            code = -1
        return made.read_bytes() if code == 0 and made.is_file() else None
