"""A folder for temporary files from which nothing may be executed, as careful machines have it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from exchange.project import Project
from kkoracle.demo.progress import spool_counters
from tests.conftest import cli_environment
from tests.crawler.harness import PROFILE
from tests.crawler.loopback import Loopback, paper

# Runs what follows with a temporary folder of its own; where it can, one mounted without exec,
# which a user may do in a name space of his own.
IN_A_SPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
MOUNT = 'mount -t tmpfs -o noexec,nosuid tmpfs "$TMPDIR"'
LOOK = 'cp /bin/true "$TMPDIR/tried" && ! "$TMPDIR/tried" 2>/dev/null && rm "$TMPDIR/tried"'
LEFT = """
import os, pathlib, sys
folder = pathlib.Path(os.environ["TMPDIR"])
bad = [str(one) for one in folder.rglob("*") if one.is_file()
       and one.relative_to(folder).parts[0] != "mlx"  # its kernels, where they may be there
       and (one.stat().st_mode & 0o111 or one.suffix in (".so", ".dylib"))]
sys.exit(f"could be executed: {bad}" if bad else 0)
"""


def run(temporary: Path, *arguments: str) -> list[str]:
    """The command that runs one of ours so."""
    command = [sys.executable, "-m", "kkoracle", *arguments]
    if may_mount(temporary):
        return [*IN_A_SPACE, f'{MOUNT} && {LOOK} && exec "$@"', "sh", *command]
    # Then nothing that could be executed may be put there.
    script = '"$@"; code=$?; "$0" -c "$LEFT" || exit 99; exit $code'
    return ["sh", "-c", script, sys.executable, *command]


def may_mount(temporary: Path) -> bool:
    """Linux lets most users do so."""
    if not shutil.which("unshare"):
        return False
    tried = subprocess.run(
        [*IN_A_SPACE, f"{MOUNT} && {LOOK}"],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


def test_everything_works_where_temporary_files_cannot_be_executed(
    tmp_path: Path, make_project: Callable[..., Project]
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "profile.toml").write_text(PROFILE, "utf-8")
    start = partial(
        subprocess.Popen,
        cwd=tmp_path,
        env=cli_environment(TMPDIR=str(temporary), LEFT=LEFT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with Loopback(paper("/story/1", "/story/2")) as site:
        project = make_project(
            '[crawl]\ncontact = "t@example.org"\ndelay = 0.0\nmin_free_mb = 0\n'
            f'profile = "profile.toml"\nbase_url = "{site.url}"\n'
        )
        with (
            start(run(temporary, "crawl", "--yes")) as crawl,
            # Not with --burst: where the crawl is slow to begin, that finds nothing to do and ends.
            start(run(temporary, "work")) as work,
        ):
            try:
                said = crawl.communicate(timeout=180)[0]
                work.terminate()
                said += work.communicate(timeout=60)[0]
            finally:
                crawl.kill()
                work.kill()
    assert "Traceback" not in said and "could be executed" not in said, said
    found = spool_counters(project.archive_dir("paper"))
    assert (
        found["stories"] == 2 and found.get("tasks.done", 0) + found.get("tasks.failed", 0) == 2
    ), (found, said)
    with start(run(temporary, "status", "--json")) as status:
        shown = status.communicate(timeout=60)[0]
    assert '"stories"' in shown and "Traceback" not in shown, shown
