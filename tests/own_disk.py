"""A disk that only one command sees: small, or one on which nothing can be executed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def on_own_disk(folder: Path, options: str) -> list[str] | None:
    """What stands before a command for which `folder` is to be a disk in memory.

    Args:
        options: of the mount, such as "size=24m".

    Returns:
        None where nobody may mount one; Linux lets most users do so, in a name space of their own.
    """
    if not shutil.which("unshare"):
        return None
    script = f'mount -t tmpfs -o {options} tmpfs "$0" && exec "$@"'
    before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder)]
    tried = subprocess.run([*before, "true"], capture_output=True, check=False)
    return before if tried.returncode == 0 else None
