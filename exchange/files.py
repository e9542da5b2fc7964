"""Files and folders that are whole or as they were before, whatever is killed or unplugged.

Everything is written under a temporary name beside its place, forced to the disk, and renamed:
without the first step a crash leaves half a file, without the second a power cut can leave the
new name and no content.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from exchange.display import format_bytes
from exchange.errors import CannotWrite, DiskFull, NotAllowed

PRIVATE = 0o077  # the umask of our commands: what they make is their user's alone
PARTIAL = ".partial"  # how a name ends, or (with a dash) begins, until its file is whole


def write_atomic(
    path: Path, data: bytes | str, *, mode: int | None = None, sync: bool = True
) -> None:
    """Write a small file, and the folders above it where they are missing.

    Args:
        mode: the rights of the file, such as 0o600 for a secret, from its first byte on.
        sync: False for what is worth nothing after a crash, such as a heartbeat.

    Raises:
        DiskFull: no space is left; what stood there is as it was.
        CannotWrite: any other reason why it cannot be written.
    """
    with atomic_path(path, sync=sync, private=mode is not None) as partial:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(partial, flags, 0o666 if mode is None else mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def atomic_path(
    path: Path, *, sync: bool = True, keep_suffix: bool = False, private: bool = False
) -> Iterator[Path]:
    """A temporary name to write to, by ourselves or by another program, renamed at the end.

    Nothing stands under the name as the block begins. Where the block raises, the file before
    stays and the temporary one goes. In a folder that others may read they may read the file, too:
    it is no folder of ours.

    Args:
        keep_suffix: for writers that look at how the name ends.
        private: keep the rights that the file was made with.

    Raises:
        DiskFull: no space is left, also where the block says so by an `OSError`.
        CannotWrite: any other `OSError`, also of the block.
    """
    name = f"{PARTIAL[1:]}-{path.name}" if keep_suffix else path.name + PARTIAL
    partial = path.with_name(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        try:
            yield partial
            if not private:
                partial.chmod(0o600 | path.parent.stat().st_mode & 0o044)
            if sync:
                sync_path(partial)
            partial.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        if sync:
            sync_path(path.parent)
    except OSError as error:
        raise write_error(path, error) from None


def complete(partial: Path, path: Path) -> None:
    """Give a file that grew over several runs its name, now that it is whole."""
    sync_path(partial)
    partial.replace(path)
    sync_path(path.parent)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A new folder to fill, that takes the target's place when the block ends well.

    Raises:
        DiskFull: no space is left, also where the block says so by an `OSError`.
        CannotWrite: the folder cannot be made, filled or moved; the one before is as it was.
    """
    partial, old = (target.with_name(target.name + end) for end in (PARTIAL, ".old"))
    try:
        if old.exists() and not target.exists():  # a kill between the two renames below
            old.rename(target)
        for folder in (partial, old):
            shutil.rmtree(folder, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield partial
            others = target.parent.stat().st_mode & 0o055
            for path in (*partial.rglob("*"), partial):
                if not path.is_symlink():
                    runs = path.stat().st_mode & 0o100
                    path.chmod(0o700 | others if runs else 0o600 | others & 0o044)
                sync_path(path)
            _exchange(partial, target, old)
            sync_path(target.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise write_error(target, error) from None


def _exchange(partial: Path, target: Path, old: Path) -> None:
    if target.exists():
        target.rename(old)
    try:
        partial.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise


def replace_link(link: Path, target: str) -> None:
    """Let a symbolic link lead elsewhere: whoever follows it finds the one or the other.

    Args:
        target: as it stands in the link.

    Raises:
        CannotWrite: it cannot be replaced; it leads where it did.
    """
    partial = link.with_name(f".{link.name}{PARTIAL}")
    try:
        partial.unlink(missing_ok=True)
        partial.symlink_to(target)
        partial.replace(link)
        sync_path(link.parent)
    except OSError as error:
        raise write_error(link, error) from None


def write_hashed(path: Path, pieces: Iterable[bytes]) -> dict[str, Any]:
    """Write a stream of pieces, not atomically; returns what the file is: `sha256`, `bytes`.

    Use it inside `atomic_path`.
    """
    sha, size = sha256(), 0
    with path.open("wb") as file:
        for piece in pieces:
            sha.update(piece)
            size += len(piece)
            file.write(piece)
    return {"sha256": sha.hexdigest(), "bytes": size}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex, read in blocks."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def sync_path(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk, where the file system can."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some cannot do it for folders
            raise
    finally:
        os.close(descriptor)


def check_owner(folder: Path) -> None:
    """Refuse a data folder of somebody else's before anything of it is used.

    Raises:
        NotAllowed: we may not read and write it.
    """
    if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise NotAllowed(
            f"the data folder {folder} is another user's (uid {folder.stat().st_uid}, we are "
            f"{os.geteuid()}) or protected: work as that user, or choose another folder with --data"
        )


def write_error(path: Path, error: OSError) -> CannotWrite:
    """What to raise for an operating system's error, in words."""
    if is_full(error):
        return DiskFull(
            f"cannot write {path}: the disk is full{size_limit()}; make room, then run the same "
            "command again"
        )
    return CannotWrite(f"cannot write {path}: {error.strerror or error}")


def is_full(error: OSError) -> bool:
    """Whether there is no room: on the disk, in the user's quota, or for a file so large."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def size_limit() -> str:
    """What to add to the news of a full disk where files may only grow so far, else ""."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY:
        return ""
    return f", or the file reached the limit of {format_bytes(limit)} (`ulimit -f`)"


def parse_toml(text: str) -> dict[str, Any]:
    """A file that somebody else wrote.

    Raises:
        ValueError: it is not TOML, or a value is longer or nested deeper than Python reads.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def read_tail(path: Path, most: int) -> bytes:
    """The last bytes of a file that another process may be writing; the first line may be cut.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - most))
        return file.read()
