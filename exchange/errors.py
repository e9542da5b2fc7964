"""What a person may see go wrong: one line that says what is wrong and what to do.

Whoever can go on catches the class; nobody reads the message.
"""

from __future__ import annotations

from typing import ClassVar

from exchange.text.controls import one_line

OK = 0
FAILED = 1
USAGE = 2
STOPPED = 3


class UserError(Exception):
    """Something the operator can put right; raise one of the classes below.

    The command line prints the message as one line, without a traceback, and exits with
    `exit_code`: 1 failed or needs attention, 2 bad usage or configuration, 3 stopped and
    resumable.
    """

    ends_with: ClassVar[int] = FAILED  # the exit code of the class

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(one_line(message))
        self.exit_code = self.ends_with if exit_code is None else exit_code


class UsageError(UserError):
    """Bad usage or configuration: exit code 2."""

    ends_with = USAGE


class Stopped(UserError):
    """A person or a signal ended it, and the same command goes on from there: exit code 3."""

    ends_with = STOPPED


class Busy(UserError):
    """Somebody else holds what this needs: a lock, the GPU, a port, a site that asks us to wait."""


class NotFound(UserError):
    """What was asked for is not there, or not yet."""


class NotEnoughData(UserError):
    """There are too few pages, pairs or rows to go on with."""


class NotAllowed(UserError):
    """A rule of the project, a right or a person's no stands against it."""


class Unsupported(UserError):
    """It cannot be done here, or not with what was chosen."""


class MissingExtra(UserError):
    """A package is not installed; the message says which extra brings it."""


class Unreachable(UserError):
    """Another machine does not answer, or refuses us."""


class RedisUnfit(UserError):
    """The Redis that is asked for does not start or answer, or cannot do what a queue needs."""


class ModelUnfit(UserError):
    """The model cannot be loaded, or cannot do what is asked of it."""


class TooLarge(UserError):
    """It exceeds the model's context, the memory or the largest file that is read."""


class ProgramFailed(UserError):
    """A program that was started does not run, or ended badly."""


class BadFile(UserError):
    """A file cannot be read, or does not hold what it should."""


class BadRecord(BadFile, ValueError):
    """Bytes that are not the record they should be: broken JSON, a missing or misshapen field."""


class CannotWrite(UserError):
    """A file or folder cannot be written; what stood there is as it was."""


class DiskFull(CannotWrite):
    """No space is left, on the disk or in the user's quota; nothing that was stored is lost."""
