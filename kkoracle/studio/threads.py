"""Work that must stay in one thread, an SQLite connection's and a model's, and work in background.

Pages are answered in many threads; MLX and SQLite want the one that opened them.
"""

from __future__ import annotations

import gc
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from exchange.errors import ModelUnfit, NotFound
from exchange.lock import GPU_LOCK, FileLock, hold_gpu

T = TypeVar("T")
M = TypeVar("M")


class SingleThread:
    """Does one thing after the other, all in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    def run(self, work: Callable[[], T]) -> T:
        """Do it and wait for it; what it raises is raised here."""
        return self._pool.submit(work).result()

    def send(self, work: Callable[[], None]) -> None:
        """Have it done when its turn comes; nothing when the thread has ended."""
        with suppress(RuntimeError):
            self._pool.submit(work)

    def close(self) -> None:
        """Finish what is being done, and nothing after it."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class ModelThread:
    """Holds at most one model, loaded when first asked for and let go when nobody asks.

    The GPU's lock is held, shared with workers, while a model is in memory: a training run that is
    started elsewhere says so and does not start, and none is loaded while one runs.
    """

    def __init__(self, data: Path, idle_s: float) -> None:
        self._data = data
        self._idle_s = idle_s
        self._thread = SingleThread("model")
        self._key = ""
        self._model: Any = None
        self._held = ExitStack()
        self._timer: threading.Timer | None = None

    @property
    def loaded(self) -> str:
        """The key of what is in memory, "" when nothing is."""
        return self._key

    def use(
        self, key: str, load: Callable[[], AbstractContextManager[M]], work: Callable[[M], T]
    ) -> T:
        """Do something with a model, which is loaded first unless it is there.

        Args:
            load: gives the model as a context, which is left when the model is let go.

        Raises:
            UserError: a run is training on this machine, or the model cannot be loaded or failed.
        """
        return self._thread.run(lambda: self._use(key, load, work))

    def let_go(self) -> None:
        """Give back memory and GPU, once what is being done is done."""
        self._thread.run(self._drop)

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._thread.run(self._drop)
        self._thread.close()

    def busy_elsewhere(self) -> bool:
        """True while workers share the GPU with us, or would if we took it now."""
        if self._key:
            return False  # they may have come since, but the wait for loading is over
        return not FileLock(self._data / GPU_LOCK).is_free()

    def _use(
        self, key: str, load: Callable[[], AbstractContextManager[M]], work: Callable[[M], T]
    ) -> T:
        if self._timer:
            self._timer.cancel()
        if key != self._key:
            self._drop()
            try:
                self._held.enter_context(hold_gpu(self._data, shared=True))
                self._model = self._held.enter_context(load())
                self._key = key
            except BaseException:
                self._drop()
                raise
        try:
            return work(self._model)
        except RuntimeError as error:  # of MLX: most often there is no memory left
            self._drop()
            raise ModelUnfit(f"the model failed ({error}) and was unloaded; ask again") from error
        finally:
            self._timer = threading.Timer(self._idle_s, self._thread.send, [self._drop])
            self._timer.daemon = True
            self._timer.start()

    def _drop(self) -> None:
        self._model, self._key = None, ""
        self._held.close()
        gc.collect()


KEPT = 50  # talks or scored files that a studio remembers


class RecentThings(Generic[T]):
    """The last things that were made here, each under a name that nobody else can guess."""

    def __init__(self, what: str, kept: int = KEPT) -> None:
        self._what, self._kept = what, kept
        self._lock = threading.Lock()
        self._things: OrderedDict[str, T] = OrderedDict()

    def add(self, thing: T) -> str:
        """Its name; the oldest thing is forgotten for it once there are too many."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._things[name] = thing
            if len(self._things) > self._kept:
                self._things.popitem(last=False)
        return name

    def find(self, name: str) -> T:
        """Raises NotFound when it was forgotten, or never was."""
        with self._lock:
            if name not in self._things:
                raise NotFound(f"this {self._what} is over: the studio was started anew since")
            self._things.move_to_end(name)
            return self._things[name]
