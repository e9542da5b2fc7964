"""Files that are whole or as they were."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.errors import CannotWrite, DiskFull
from exchange.files import (
    atomic_folder,
    atomic_path,
    sha256_of,
    write_atomic,
    write_error,
    write_hashed,
)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_has_its_content_its_rights_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret.json"
    (path.parent).mkdir()
    (path.parent / "secret.json.partial").write_text("left by a kill, and readable by everybody")
    write_atomic(path, b"{}", mode=0o600)
    write_atomic(path, "two\n", mode=0o600, sync=False)
    assert path.read_text() == "two\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert _names(path.parent) == ["secret.json"]


def test_a_leftover_link_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "a.json.partial").symlink_to(other)
    write_atomic(tmp_path / "a.json", b"new")
    assert (other.read_text(), (tmp_path / "a.json").read_text()) == ("mine", "new")


def test_a_block_that_fails_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(ValueError), atomic_path(path, keep_suffix=True) as partial:
        assert partial.suffix == ".bin"
        partial.write_bytes(b"half")
        raise ValueError
    assert (path.read_bytes(), _names(tmp_path)) == (b"before", ["a.bin"])


def test_errors_of_the_system_have_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.partial").mkdir()
    with pytest.raises(CannotWrite, match=r"cannot write .*a: "):
        write_atomic(tmp_path / "a", b"x")
    with pytest.raises(DiskFull, match="the disk is full"), atomic_path(tmp_path / "b"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert isinstance(write_error(tmp_path, OSError(errno.EDQUOT, "quota")), DiskFull)


def test_a_file_that_may_not_grow_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")
    script = (
        "import resource, signal, sys; from pathlib import Path; from exchange import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: files.write_atomic(Path(sys.argv[1]), b'x' * 2000)\n"
        "except files.CannotWrite as error: print(error)"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] != 1000
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith(f"cannot write {path}: ")
    assert (path.read_bytes(), _names(tmp_path)) == (b"before", ["a"])


def test_a_folder_takes_the_place_of_the_one_before_only_when_it_is_done(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for content in ("one", "two"):
        with atomic_folder(target) as folder:
            (folder / "inner").mkdir()
            (folder / "inner" / "a").write_text(content)
        assert (target / "inner" / "a").read_text() == content
    with pytest.raises(CannotWrite), atomic_folder(target) as folder:
        raise PermissionError(errno.EACCES, "denied")
    with pytest.raises(KeyboardInterrupt), atomic_folder(target):
        raise KeyboardInterrupt
    assert (target / "inner" / "a").read_text() == "two"
    assert _names(tmp_path) == ["model"]


def test_a_folder_that_a_kill_had_moved_aside_comes_back(tmp_path: Path) -> None:
    (tmp_path / "model.old").mkdir()
    with pytest.raises(ValueError), atomic_folder(tmp_path / "model"):
        raise ValueError
    assert _names(tmp_path) == ["model"]


def test_a_streamed_file_is_described_by_its_hash(tmp_path: Path) -> None:
    found = write_hashed(tmp_path / "a", iter([b"a", b"bc"]))
    assert found == {"sha256": sha256_of(tmp_path / "a"), "bytes": 3}
