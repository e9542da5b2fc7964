"""Which commands belong in the journal: all but those that only look."""

from __future__ import annotations

from collections.abc import Sequence

LOOKING = frozenset(
    {
        "init",
        "doctor",
        "config",
        "estimate",
        "status",
        "dashboard",
        "demo",
        "trace",
        "chat",
        "serve",
        "ui",
        "redis",
        "archive list",
        "archive probe",
        "archive learn",
        "archive coverage",
        "archive review",
        "dataset stats",
        "failed list",
        "failed show",
    }
)
_WITH_VALUE = ("--config", "--data")  # the front door's own options


def changes_something(words: Sequence[str]) -> bool:
    """Whether a command line is worth an entry; unknown commands are.

    Args:
        words: of the command line, without the program's name.
    """
    if not words or "--help" in words:
        return False
    command = _command(words)
    return not ({command, command.partition(" ")[0]} & LOOKING)


def _command(words: Sequence[str]) -> str:
    """The command and, if there is one, the word after it."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _WITH_VALUE else 1
    rest = words[at : at + 2]
    return " ".join(rest if len(rest) == 2 and not rest[1].startswith("-") else rest[:1])
