"""The one exception a person may see: a single line that says what is wrong and what to do."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
STOPPED = 3


class UserError(Exception):
    """Something the operator can put right.

    The command line prints the message as one line, without a traceback, and exits with
    `exit_code`: 1 failed or needs attention, 2 bad usage or configuration, 3 stopped and
    resumable.
    """

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(" ".join(message.split()))
        self.exit_code = exit_code


class UsageError(UserError):
    """Bad usage or configuration: exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, USAGE)


class CannotWrite(UserError):
    """A file or folder cannot be written; what stood there is as it was."""


class DiskFull(CannotWrite):
    """No space is left, on the disk or in the user's quota."""
