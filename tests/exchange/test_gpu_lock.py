"""Waiting for the model that somebody else holds."""

from __future__ import annotations

import threading
from pathlib import Path

from exchange.lock import GPU_LOCK, FileLock, wait_for_gpu


def test_it_is_waited_for_until_it_is_let_go_and_that_is_told_once(tmp_path: Path) -> None:
    said: list[str] = []
    held = FileLock(tmp_path / GPU_LOCK)
    assert held.acquire(shared=True)
    threading.Timer(0.6, held.release).start()
    wait_for_gpu(tmp_path, said.append, shared=True)
    assert not said  # it may be shared
    wait_for_gpu(tmp_path, said.append)
    assert len(said) == 1 and FileLock(tmp_path / GPU_LOCK).is_free()
    wait_for_gpu(tmp_path, said.append)
    assert len(said) == 1


def test_no_longer_than_it_is_worth(tmp_path: Path) -> None:
    looks: list[None] = []
    with FileLock(tmp_path / GPU_LOCK):
        wait_for_gpu(tmp_path, print, most_s=0.5, meanwhile=lambda: looks.append(None))
    assert 1 <= len(looks) <= 4
