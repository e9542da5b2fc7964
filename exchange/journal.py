"""The run journal: one Markdown file per data directory that says what was done there.

Each command that changes something leaves one entry: the words it was given, the settings that
differ from their defaults, how it ended, its figures. The front door opens the entry and closes
it; a command only adds its figures. Entries are appended whole, under a lock, so that any number of
commands may end at the same moment, and what once stood there is never touched. A command that is
killed cannot write: each leaves a note while it runs, and the next one writes their entries.

    journal.md         the entries
    journal.open/PID   the note of a command that runs
"""

from __future__ import annotations

import logging
import os
import platform
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from exchange import display, logs
from exchange.errors import FAILED, OK, STOPPED, USAGE, CannotWrite
from exchange.files import write_atomic
from exchange.lock import JOURNAL_LOCK, FileLock
from exchange.settings import Config
from exchange.text.controls import one_line

FILE, RUNNING_DIR = "journal.md", "journal.open"
FRONT_OPTIONS = ("--config", "--data")  # before the command's name, each with a value
CRASHED = -1  # in place of an exit code: an error of ours, not of the person
_HEAD = "# Journal\n\nWhat was done in this folder, oldest first; written by the commands.\n"
_ENDINGS = {
    OK: "done",
    FAILED: "failed",
    USAGE: "refused",
    STOPPED: "stopped, resumable",
    CRASHED: "crashed",
}
_MAX_LINE = 300  # characters of one line that a command said
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class JournalEntry:
    """One command's entry. Until it is opened, nothing that the command does leaves a trace."""

    words: Sequence[str] = ()  # of the command line, without the program's name
    version: str = ""  # of the program
    started: float = field(default_factory=time.time)
    figures: dict[str, object] = field(default_factory=dict)
    config: Config | None = None
    data: Path | None = None

    def add_figures(self, **figures: object) -> None:
        """Add figures of this command, by name; None leaves one out."""
        self.figures |= {name: value for name, value in figures.items() if value is not None}

    def open(self, data: Path, config: Config) -> None:
        """From now on the end of this command is worth an entry in this data directory."""
        self.data, self.config = data, config
        _ignore_unwritable(self._open)

    def close(self, code: int, message: str = "") -> None:
        """Append the entry, if it was opened.

        Args:
            code: the exit code, or `CRASHED`.
            message: the line that told a person why it did not end well.
        """
        _ignore_unwritable(lambda: self._close(code, message))

    def _open(self) -> None:
        if self.data is None or not self.data.is_dir():
            return  # a command that makes the folder writes into it when it ends
        notes = self.data / RUNNING_DIR
        notes.mkdir(exist_ok=True)
        mine = notes / str(os.getpid())
        with FileLock(self.data / JOURNAL_LOCK).waiting():
            for path in sorted(notes.iterdir()):
                note = _read_running(path)
                if path == mine and note and note.words == logs.mask_arguments(self.words):
                    self.started = note.started  # this process has executed itself anew
                elif path == mine or not _is_alive(path.name):
                    if note:
                        _append(
                            self.data,
                            _format_entry(
                                note.words,
                                note.started,
                                ["ended: killed; nothing was written after its beginning"],
                            ),
                        )
                    path.unlink(missing_ok=True)
            running = {"words": logs.mask_arguments(self.words), "started": self.started}
            write_atomic(mine, orjson.dumps(running))

    def _close(self, code: int, message: str) -> None:
        if self.data is None or not self.data.is_dir():
            return  # nothing was ever done here: bad usage makes no folder
        number = "" if code == CRASHED else f" (exit code {code})"
        lines = [
            f"ended: {_ENDINGS.get(code, 'failed')}{number} after "
            f"{display.format_duration(time.time() - self.started)}"
        ]
        lines += [f"said: {_one_line(message)}"] if message else []
        lines += [
            f"{name.replace('_', ' ')}: {_format_figure(value)}"
            for name, value in self.figures.items()
        ]
        settings = (
            [f"`{_one_line(text)}`" for text in changed_settings(self.config)]
            if self.config
            else []
        )
        lines += [f"settings: {', '.join(settings)}"] if settings else []
        lines.append(
            f"with: kkoracle {self.version}, Python {platform.python_version()}, "
            f"{platform.system()} {platform.machine()}"
        )
        with FileLock(self.data / JOURNAL_LOCK).waiting():
            _append(self.data, _format_entry(self.words, self.started, lines))
            (self.data / RUNNING_DIR / str(os.getpid())).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _RunningCommand:
    """What is known of a command that runs."""

    words: list[str]
    started: float


def changed_settings(config: Config) -> Iterator[str]:
    """The settings of the tables that were read, where they are not the defaults."""
    for name, table in config.tables_read.items():
        for key, described in type(table).model_fields.items():
            dotted = f"{name}.{key}" if name else key
            value = getattr(table, key)
            default = described.get_default(call_default_factory=True, validated_data={})
            if value != default:
                yield f"{dotted} = {logs.mask_setting(dotted, value)} ({config.sources[dotted]})"


def _format_entry(words: Iterable[str], started: float, lines: Iterable[str]) -> str:
    shown = logs.mask_arguments(list(words))
    title = " ".join(_until_an_option(command_words(shown))) or "kkoracle"
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(started))
    command = _one_line(shlex.join(["kkoracle", *shown]), longest=4000, markdown=False)
    return f"\n## {at} {_one_line(title)}\n\n    {command}\n\n" + "".join(
        f"- {line}\n" for line in lines
    )


def command_words(words: Sequence[str]) -> Sequence[str]:
    """A command line from its command's name on, without the front door's own options."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in FRONT_OPTIONS else 1
    return words[at:]


def running_commands(data: Path) -> dict[int, list[str]]:
    """The commands that run over this data folder and are worth an entry, by process id."""
    found: dict[int, list[str]] = {}
    for path in sorted((data / RUNNING_DIR).glob("[0-9]*")):
        if _is_alive(path.name) and (note := _read_running(path)):
            found[int(path.name)] = list(command_words(note.words))
    return found


def _until_an_option(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("-"):
            return
        yield word


def _one_line(text: str, longest: int = _MAX_LINE, *, markdown: bool = True) -> str:
    """One line, whatever a file name, a model or a peer has put into it."""
    line = one_line(logs.mask_logins(text), longest)
    return line.replace("<", "&lt;").replace("`", "'") if markdown else line


def _format_figure(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else _one_line(str(value))


def _read_running(path: Path) -> _RunningCommand | None:
    try:
        return _RunningCommand(**orjson.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _is_alive(pid: str) -> bool:
    """A number taken over by another process only delays the tale of the dead."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass
    return True


def _append(data: Path, text: str) -> None:
    path = data / FILE
    with path.open("ab") as file:
        file.write(((_HEAD if not file.tell() else "") + text).encode("utf-8", "replace"))


def _ignore_unwritable(write: Callable[[], None]) -> None:
    """A journal that cannot be written must not make a command fail."""
    try:
        write()
    except (OSError, CannotWrite) as error:
        _log.warning("the journal cannot be written: %s", error)
