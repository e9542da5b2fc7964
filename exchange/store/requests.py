"""What other processes ask of the daemon: rows in `review.sqlite` that it carries out in turn.

Only the holder of `daemon.lock` writes the spool. A command that wants a change while a daemon
runs leaves a request and waits for its answer; without a daemon it takes the lock itself.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from exchange.errors import BadFile, UserError
from exchange.lock import daemon_lock
from exchange.store import failures, verdicts
from exchange.store.review import DaemonRequest, Review
from exchange.store.spool import Spool

log = logging.getLogger(__name__)

RECHECK = "recheck"
KINDS = (RECHECK, failures.RETRY, failures.DROP)
POLL_S = 0.3


def answer_requests(spool: Spool, directory: Path) -> int:
    """Do what is asked and not yet answered; returns how many requests were answered.

    A request that cannot be carried out is answered with the reason and never stops the daemon.
    """
    if not _has_open_requests(directory):
        return 0
    review = Review.open(directory)
    count = 0
    try:
        for request in review.open_requests():
            if request.kind in KINDS:
                review.answer(request.serial, _outcome(spool, directory, request, review))
                count += 1
    except sqlite3.OperationalError as error:  # somebody writes for long; it is looked at again
        log.warning("a request could not be answered yet: %s", error)
    finally:
        review.close()
    return count


def _has_open_requests(directory: Path) -> bool:
    try:
        review = Review.read(directory)
        if review is None:
            return False
        try:
            return any(request.kind in KINDS for request in review.open_requests())
        finally:
            review.close()
    except (UserError, sqlite3.OperationalError):  # it is being made this very moment
        return False


def _outcome(spool: Spool, directory: Path, request: DaemonRequest, review: Review) -> str:
    try:
        if request.kind == RECHECK:
            changed = _recheck(spool, directory, request.argument, review)
        else:
            changed = failures.apply_request(spool, request.kind, request.argument)
    except UserError as error:
        log.warning("a request (%s) was not carried out: %s", request.kind, error)
        return f"failed: {error}"
    return f"done: {changed}"


def _recheck(spool: Spool, directory: Path, name: str, review: Review) -> int:
    if not verdicts.NAME.fullmatch(name):
        raise BadFile(f"{name[:40]!r} is no file of verdicts")
    return verdicts.apply_verdicts(spool, directory / name, review.labels())


def submit_request(
    directory: Path,
    argument: str,
    waiting: Callable[[], None] = lambda: None,
    kind: str = RECHECK,
) -> int:
    """Have a request carried out, by the daemon where one runs, else here and now.

    Args:
        argument: of a recheck the name of its staged file.
        waiting: called while a daemon is waited for.

    Returns:
        How many pairs or tasks changed.

    Raises:
        UserError: it could not be carried out; nothing was changed.
    """
    review = Review.open(directory)
    try:
        serial = review.add_request(kind, argument)
        while (outcome := review.outcome(serial)) is None:
            lock = daemon_lock(directory)
            if lock.acquire():
                try:
                    spool = Spool.open(directory)
                    try:
                        answer_requests(spool, directory)
                    finally:
                        spool.close()
                finally:
                    lock.release()
            else:
                waiting()
                time.sleep(POLL_S)
    finally:
        review.close()
    state, _, rest = outcome.partition(": ")
    if state != "done":
        raise BadFile(rest)
    return int(rest)
