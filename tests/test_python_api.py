"""The Python API: its page runs as it stands, and importing it costs nothing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kkoracle import Project, Stopped, UsageError, UserError
from tests.conftest import ROOT, run_python
from tests.servers import free_port

PAGE = (ROOT / "docs" / "python.md").read_text("utf-8")
Popen = Callable[..., subprocess.Popen[str]]


def test_the_examples_of_the_page_run(tmp_path: Path, popen: Popen) -> None:
    port = str(free_port())
    (serve,) = re.findall(r"```sh\npython (.*)\n```", PAGE)
    newspaper = popen(*serve.replace("8765", port).split(), cwd=tmp_path)
    assert newspaper.stdout and newspaper.stdout.readline().startswith("http://")
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(blocks) >= 5
    script = "\n".join(blocks).replace("8765", port)
    said = run_python("-c", script, cwd=tmp_path, timeout=400)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "rows to train on" in said.stdout and "train.rank" in said.stdout
    assert "with confidence" in said.stdout and "before," in said.stdout


def test_import_is_light(tmp_path: Path) -> None:
    script = "import sys, kkoracle; print(len([m for m in sys.modules if 'pydantic' in m]))"
    assert run_python("-c", script, cwd=tmp_path).stdout.strip() == "0"
    script = (
        "import sys; from kkoracle import Project; Project.open(); "
        "print([m for m in ('mlx', 'redis', 'rq', 'aiohttp', 'lxml', 'numpy') if m in sys.modules])"
    )
    assert run_python("-c", script, cwd=tmp_path).stdout.strip() == "[]"


def test_settings_come_before_environment_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KKORACLE_CRAWL_DELAY", "3")
    monkeypatch.setenv("KKORACLE_CRAWL_TRIES", "4")
    (tmp_path / "kkoracle.toml").write_text("archive = 'a'\n[crawl]\ndelay = 2\n", "utf-8")
    from crawler.settings import CrawlSettings

    project = Project.open(archive="b", settings={"crawl.delay": 5, "crawl.weekdays": ["sat"]})
    crawl = project.config.table("crawl", CrawlSettings)
    assert (crawl.delay, crawl.tries, crawl.weekdays) == (5, 4, ("sat",))
    assert project.archive() == "b" and project.data == tmp_path / "kkoracle-data"


def test_what_is_wrong_is_told_by_class(tmp_path: Path) -> None:
    project = Project.open(data=tmp_path / "data", archive="demo")
    with pytest.raises(UsageError, match="contact"):
        project.crawl()
    with pytest.raises(UserError):
        project.build_dataset()
    with pytest.raises(TypeError, match="no setting lrr"):
        project.train(lrr=1)
    with pytest.raises(UsageError, match="no config file"):
        Project.open(tmp_path / "none.toml")
    assert issubclass(Stopped, UserError)


@pytest.mark.parametrize("package", ["exchange", "crawler", "workers", "trainer", "kkoracle"])
def test_the_packages_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()
