"""Ctrl-C and SIGTERM: the first ends in order, the second at once.

Ending at once is safe everywhere: whatever was not committed is done again at the next start.

A command goes through three stages. While it is being loaded it holds nothing, and
`exit_while_loading` ends it at once. Then both signals are a `KeyboardInterrupt`
(`raise_interrupts`), which lets go in order of what is held. A command that can end between two of
its steps is asked to by `stop_on_signal`, or by `stop_on_signal_in_loop` under asyncio.
"""

from __future__ import annotations

import abc
import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from exchange.errors import FAILED, STOPPED

if TYPE_CHECKING:
    import subprocess


STOP_S = 30.0  # so long a thread may take to end: what a first Ctrl-C is told
SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOPPED_LINE = "stopped; run the same command again to go on"
_SHOW_CURSOR = b"\x1b[?25h"  # a live display had hidden it


def exit_while_loading() -> None:
    """Until `raise_interrupts`: a signal is one line and exit code 3, never a traceback."""

    _install(lambda number, frame: stop_at_once())


def stop_at_once() -> NoReturn:
    """End the process with one line and exit code 3."""
    os.write(2, f"kkoracle: {STOPPED_LINE}\n".encode())
    os._exit(STOPPED)


def end_process(code: int) -> NoReturn:
    """End in order with this exit code, and without taking the interpreter down piece by piece.

    Two things would end it otherwise, whatever the code. A `KeyboardInterrupt` that was dealt with,
    but came while a class was being made (`exec` in the standard library), is noted by Python as
    one that nobody dealt with: SIGINT. And a thread that evaluated MLX frees what it had compiled
    after `Thread.join` has returned (before Python 3.13), with the interpreter's lock; where that
    is being taken down, C++ calls `std::terminate`: SIGABRT.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, ValueError):  # nobody reads it any more
            pass
        except OSError:  # a full disk: what was to be read is lost
            code = code or FAILED
    os._exit(code)


def hold_back() -> None:
    """From now on signals are ignored: all is done but for a few lines, and then it ends by itself.

    Python takes its own handlers away as it ends, and leaves signals ignored that are.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def raise_interrupts() -> None:
    """From now on SIGTERM ends a command as Ctrl-C does, by a `KeyboardInterrupt`."""
    _install(signal.default_int_handler)


def _install(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in SIGNALS:
        # Whoever started us in the background of a script wants Ctrl-C to be ignored.
        if number != signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def raise_interrupt() -> None:
    """What a second signal does where whatever is held must be let go."""
    raise KeyboardInterrupt


_before_exit_now: list[Callable[[], None]] = []
LAST_STEPS_S = 3.0  # for what must not stay behind even then


@contextmanager
def before_exit_now(step: Callable[[], None]) -> Iterator[None]:
    """Inside the block `exit_now` takes this step first, for as long as `LAST_STEPS_S` at most."""
    _before_exit_now.append(step)
    try:
        yield
    finally:
        _before_exit_now.remove(step)


def exit_now() -> None:
    """What a second signal does where waiting for anything could take long."""
    for step in reversed(_before_exit_now):
        last = threading.Thread(target=step, daemon=True)
        last.start()
        last.join(LAST_STEPS_S)
    if os.isatty(2):
        os.write(2, _SHOW_CURSOR)
    stop_at_once()


@contextmanager
def stop_on_signal(
    on_first: Callable[[], None] = lambda: None, on_second: Callable[[], None] = raise_interrupt
) -> Iterator[Callable[[], bool]]:
    """Inside the block the first signal is only remembered; yields whether it has come.

    Outside the main thread signals are left to whoever called us.

    Args:
        on_first: called from the handler: keep it short.
        on_second: called for each further signal, from the handler too.
    """
    count = 0

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        (on_first if count == 1 else on_second)()

    before = {}
    with contextlib.suppress(ValueError):  # not the main thread
        for number in SIGNALS:
            before[number] = signal.signal(number, handler)
    try:
        yield lambda: count > 0
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def stop_on_signal_in_loop(
    on_first: Callable[[], None], on_second: Callable[[], None] = exit_now
) -> Iterator[None]:
    """The same under asyncio: the running loop makes the calls, so that they may set its events."""
    import asyncio  # here, since every command loads this module first

    loop = asyncio.get_running_loop()
    count = 0

    def handler() -> None:
        nonlocal count
        count += 1
        (on_first if count == 1 else on_second)()

    installed = []
    with contextlib.suppress(RuntimeError, ValueError):  # not the main thread
        for number in SIGNALS:
            loop.add_signal_handler(number, handler)
            installed.append(number)
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)


def wait_for_signal() -> None:
    """Return at the first signal; a second one does not wait for what follows."""
    ended = threading.Event()
    with stop_on_signal(ended.set):
        ended.wait()


@contextmanager
def until_interrupted() -> Iterator[None]:
    """A block that Ctrl-C ends well, such as a server or a screen that is only looked at."""
    with contextlib.suppress(KeyboardInterrupt):
        yield


def wait_for_child(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a child in a session of its own, which Ctrl-C does not reach.

    Raises:
        KeyboardInterrupt: we were interrupted; the child was told exactly once, and has ended.
    """
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise


def leave_to_parent() -> None:
    """For a child that Ctrl-C reaches with its whole group: the parent says when to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


PARENT_VARIABLE = "KKORACLE_PARENT"  # process id, for a child that is to end with its parent
PARENT_S = 1.0  # between two looks for it


def parent_watch() -> Callable[[], bool]:
    """Tells, whenever it is called, whether the parent that wants to be watched is still there.

    The parent is taken out of the environment, as children of ours have another one; without it
    the answer is always yes.
    """
    expected = os.environ.pop(PARENT_VARIABLE, "")
    return lambda: not expected.isdigit() or os.getppid() == int(expected)


def end_with_parent() -> None:
    """For a child whose parent may be killed: it then ends as by a first Ctrl-C."""
    has_parent = parent_watch()

    def watch() -> None:
        while has_parent():
            time.sleep(PARENT_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


# A part of the daemon that works in a thread of its own until it is stopped.


class BackgroundThread(abc.ABC):
    """Subclasses do their work in `work`, looking at `stopping` between two steps.

    What ends the work early (a full disk, a damaged file) is kept in `error` for the daemon to
    find; nothing is raised in a thread that nobody watches.
    """

    def __init__(self, name: str) -> None:
        self.error: BaseException | None = None
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    @abc.abstractmethod
    def work(self) -> None:
        """Work until `stopping` is set. Runs once, in the thread."""

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the step in hand and end. Harmless when it never started.

        A step that hangs, on a network that swallows everything, is left behind: the process ends
        now, and what it had not committed is done again.
        """
        self.stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _guarded(self) -> None:
        try:
            self.work()
        except BaseException as error:
            self.error = error
