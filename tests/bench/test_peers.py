"""A peer's environment is made once, whole or not at all. The peer here is a wheel made by hand."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from bench import peers
from exchange.errors import UserError

ABOUT = "Metadata-Version: 2.1\nName: rival\nVersion: 1\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package to install without asking any registry."""
    path = tmp_path / "rival-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rival.py", "SPEED = 9\n")
        archive.writestr("rival-1.dist-info/METADATA", ABOUT)
        archive.writestr("rival-1.dist-info/WHEEL", WHEEL)
        archive.writestr("rival-1.dist-info/RECORD", "")
    monkeypatch.setattr(peers, "cache", lambda: tmp_path / "cache")
    monkeypatch.setitem(peers.PEERS, "rival", ("--no-index", str(path)))
    return path


def test_an_environment_is_installed_once_and_reused(wheel: Path) -> None:
    said: list[str] = []
    python = peers.python("rival", said.append)
    code = "import rival; print(rival.SPEED)"
    answer = subprocess.run([str(python), "-c", code], capture_output=True, check=True)
    assert answer.stdout == b"9\n"
    wheel.unlink()
    assert peers.python("rival", said.append) == python
    assert len(said) == 1


def test_what_cannot_be_installed_is_told_in_one_line_and_tried_again(wheel: Path) -> None:
    kept = wheel.rename(wheel.with_suffix(".kept"))
    with pytest.raises(UserError, match=r"cannot install the peer .*rival-1") as caught:
        peers.python("rival")
    assert "\n" not in str(caught.value)
    kept.rename(wheel)
    assert peers.python("rival").exists()
