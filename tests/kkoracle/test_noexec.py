"""A folder for temporary files from which nothing may be executed, as careful machines have it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from exchange.project import Project
from kkoracle.demo.progress import spool_counters
from tests.conftest import cli_environment, until
from tests.crawler.harness import PROFILE
from tests.crawler.loopback import Loopback, paper
from tests.own_disk import on_own_disk

# Whether nothing can be executed in the folder that is named behind it.
LOOK = ("sh", "-c", 'cp /bin/true "$0/tried" && ! "$0/tried" 2>/dev/null && rm "$0/tried"')
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
    disk = on_own_disk(temporary, "noexec,nosuid")
    if disk and subprocess.run([*disk, *LOOK, str(temporary)], check=False).returncode == 0:
        return [*disk, *command]
    # Then nothing that could be executed may be put there.
    script = '"$@"; code=$?; "$0" -c "$LEFT" || exit 99; exit $code'
    return ["sh", "-c", script, sys.executable, *command]


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
        with start(run(temporary, "crawl", "--yes")) as crawl:
            try:
                until(
                    lambda: spool_counters(project.archive_dir("paper")).get("tasks.queued", 0) > 0,
                    120,
                )
                with start(run(temporary, "work", "--burst")) as work:
                    said = crawl.communicate(timeout=180)[0] + work.communicate(timeout=60)[0]
            finally:
                crawl.terminate()
    assert "Traceback" not in said and "could be executed" not in said, said
    found = spool_counters(project.archive_dir("paper"))
    assert (
        found["stories"] == 2 and found.get("tasks.done", 0) + found.get("tasks.failed", 0) == 2
    ), (found, said)
    with start(run(temporary, "status", "--json")) as status:
        shown = status.communicate(timeout=60)[0]
    assert '"stories"' in shown and "Traceback" not in shown, shown
