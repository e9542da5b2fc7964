"""What we make is its user's alone, what is another's is one line, and small limits are enough."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import cli_environment, run_cli

TEXT = "The bridge over the river was opened on 3 May 2001 by the mayor of the town. " * 12
COMMANDS = (["status"], ["crawl", "--no-fetch"], ["work"], ["import", "in"], ["export", "out"])


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """A folder with a config file, and a page to import."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.html").write_text(f"<h1>Bridge</h1><p>{TEXT}</p>")
    (tmp_path / "kkoracle.toml").write_text('archive = "paper"\n[crawl]\ncontact = "a@b.gr"\n')
    return tmp_path


def others_may(folder: Path) -> list[str]:
    modes = {path: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}
    return [f"{mode:o} {path}" for path, mode in modes.items() if mode & 0o77]


def test_the_data_folder_is_its_user_s_alone(paper: Path) -> None:
    before = os.umask(0o022)
    try:
        said = run_cli("import", "in", "--language", "en", cwd=paper)
        assert said.returncode == 0, said.stderr
        (paper / "out").mkdir()
        assert run_cli("export", "out", cwd=paper).returncode in (0, 1)
    finally:
        os.umask(before)
    assert (paper / "kkoracle-data" / "paper" / "spool.sqlite").exists()
    assert others_may(paper / "kkoracle-data") == []
    shared = [path for path in (paper / "out").rglob("*") if path.is_file()]
    # Its folder is shared.
    assert shared and all(path.stat().st_mode & 0o044 == 0o044 for path in shared)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_another_user_s_data_folder_is_one_line(paper: Path, command: list[str]) -> None:
    data = paper / "kkoracle-data"
    data.mkdir()
    (data / "paper").mkdir()
    data.chmod(0o500)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    said = subprocess.run(
        [*(drop if os.geteuid() == 0 else []), sys.executable, "-m", "kkoracle", *command],
        cwd=paper,
        env=cli_environment(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    data.chmod(0o700)
    assert said.returncode == 1 and len(said.stderr.splitlines()) == 1, said.stderr
    assert "another user's" in said.stderr and "--data" in said.stderr


def test_sixty_four_open_files_are_enough(paper: Path) -> None:
    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    said = subprocess.run(
        [sys.executable, "-m", "kkoracle", "import", "in", "--language", "en"],
        cwd=paper,
        env=cli_environment(),
        capture_output=True,
        text=True,
        preexec_fn=few_files,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "1 stories" in said.stdout + said.stderr
