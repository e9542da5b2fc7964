"""A model lives in one thread, under the GPU's lock, and leaves when nobody asks for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exchange import lock
from exchange.errors import UserError
from kkoracle.studio.threads import ModelThread, SingleThread
from tests.conftest import until

SOON_S = 0.2


class Loads:
    """What was loaded and let go, and in which threads."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.threads: set[int] = set()

    @contextmanager
    def model(self, name: str) -> Iterator[str]:
        self.said.append(f"load {name}")
        self.threads.add(threading.get_ident())
        try:
            yield name
        finally:
            self.said.append(f"free {name}")
            self.threads.add(threading.get_ident())


def use(thread: ModelThread, loads: Loads, name: str) -> str:
    return thread.use(name, lambda: loads.model(name), lambda model: model * 2)


def test_one_model_at_a_time_in_one_thread(tmp_path: Path) -> None:
    loads, thread = Loads(), ModelThread(tmp_path, 60)
    assert [use(thread, loads, name) for name in "aab"] == ["aa", "aa", "bb"]
    assert loads.said == ["load a", "free a", "load b"] and thread.loaded == "b"
    with pytest.raises(UserError, match="the studio"), lock.hold_gpu(tmp_path):
        pass
    thread.close()
    assert loads.said[-1] == "free b"
    assert len(loads.threads) == 1 and threading.get_ident() not in loads.threads


def test_a_model_that_nobody_asks_for_gives_back_memory_and_gpu(tmp_path: Path) -> None:
    loads, thread = Loads(), ModelThread(tmp_path, SOON_S)
    use(thread, loads, "a")
    assert not lock.FileLock(tmp_path / lock.GPU_LOCK).is_free()
    until(lambda: not thread.loaded, 20, every=SOON_S / 4)
    with lock.hold_gpu(tmp_path):
        assert loads.said == ["load a", "free a"]
        with pytest.raises(UserError, match="training runs"):
            use(thread, loads, "a")
    assert use(thread, loads, "a") == "aa"
    thread.close()


def test_what_cannot_be_loaded_leaves_nothing_behind(tmp_path: Path) -> None:
    @contextmanager
    def broken() -> Iterator[str]:
        raise UserError("no such model")
        yield ""

    thread = ModelThread(tmp_path, 60)
    with pytest.raises(UserError, match="no such model"):
        thread.use("a", broken, len)
    assert not thread.loaded
    with lock.hold_gpu(tmp_path):
        pass
    thread.close()


def test_a_model_that_fails_is_let_go_and_told_in_one_line(tmp_path: Path) -> None:
    def work(model: str) -> str:
        raise RuntimeError(f"no memory for {model}")

    loads, thread = Loads(), ModelThread(tmp_path, 60)
    with pytest.raises(UserError, match="no memory for a"):
        thread.use("a", lambda: loads.model("a"), work)
    assert loads.said == ["load a", "free a"] and use(thread, loads, "a") == "aa"
    thread.close()


def test_workers_beside_us_are_noticed_before_a_model_is_loaded(tmp_path: Path) -> None:
    thread = ModelThread(tmp_path, 60)
    assert not thread.busy_elsewhere()
    with lock.hold_gpu(tmp_path, shared=True):
        assert thread.busy_elsewhere()
    thread.close()


def test_what_comes_after_the_end_is_dropped() -> None:
    thread = SingleThread("x")
    thread.close()
    thread.send(lambda: None)
