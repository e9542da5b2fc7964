"""What the pages tell people to type exists: commands, options, targets, extras, benches, links."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.main import get_command

from bench.registry import NAMES, load
from exchange.errors import FAILED, USAGE
from exchange.inference import openblas
from exchange.settings import VARIABLES, variable_names
from kkoracle.cli.app import app
from kkoracle.settings import TABLES, field_names
from tests.conftest import run_cli, until
from tests.crawler.loopback import Answer, Loopback
from tests.kkoracle.small_papers import ENGLISH, write_pair
from tests.reason_codes import reason_codes
from tests.trainer.filling import fill
from tests.workers.endpoint import Endpoint

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("kkoracle/**/*.md")])
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
INDENTED = re.compile(r"^ {4}((?:kkoracle|make|pip|python -m) .*)$", re.M)
INLINE = re.compile(r"`((?:kkoracle|make|python -m bench)(?: [^`]+)?)`")


def shown(page: Path) -> list[str]:
    """Every command of a page, in blocks and in the running text, one by one."""
    text = page.read_text("utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    lines += INDENTED.findall(text)
    lines += [" ".join(one.split()) for one in INLINE.findall(BLOCK.sub("", text))]
    return [
        part.strip()
        for line in lines
        for part in re.split(r"&&|\||;", re.split(r"(?:^|\s)#", line)[0])
        if part.strip()
    ]


COMMANDS = [(page, line) for page in PAGES for line in shown(page)]


def of(program: str) -> list[pytest.param]:  # type: ignore[valid-type]
    """The commands that begin with these words, without them."""
    lines = {
        (page.relative_to(ROOT).as_posix(), line.removeprefix(program).strip())
        for page, line in COMMANDS
        if line == program or line.startswith(f"{program} ")
    }
    return [pytest.param(line, id=f"{page}: {program} {line}") for page, line in sorted(lines)]


def parse(command: Any, name: str, words: list[str]) -> None:
    """Read a command line as the program would, down to the options of the last command."""
    if not hasattr(command, "commands"):
        return command.make_context(name, words, resilient_parsing=False).close()
    with command.make_context(name, words, resilient_parsing=False) as context:
        rest = [*context._protected_args, *context.args]
        child_name, child, child_words = command.resolve_command(context, rest)
    assert child is not None
    return parse(child, child_name or "", child_words)


UNFINISHED = {"MissingParameter", "NoArgsIsHelpError", "BadOptionUsage", "Exit"}


@pytest.mark.parametrize("line", of("kkoracle"))
def test_every_command_line_is_understood(line: str, tmp_path: Path) -> None:
    words = [word for word in shlex.split(line) if word != "..."]
    try:
        parse(get_command(app), "kkoracle", words)
    except Exception as error:  # Typer keeps the classes to itself; a page may only name a command
        assert type(error).__name__ in UNFINISHED, error


@pytest.mark.parametrize("line", of("make"))
def test_every_target_is_in_the_makefile(line: str) -> None:
    (target, *_) = [word for word in line.split() if "=" not in word] or ["help"]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.M)


@pytest.mark.parametrize("line", of("python -m bench"))
def test_every_bench_takes_what_is_given_to_it(line: str) -> None:
    name, *flags = shlex.split(line) or [NAMES[0]]
    if name == "NAME":
        return
    parser = argparse.ArgumentParser(exit_on_error=False)
    for flag in ("--json", "--quick"):
        parser.add_argument(flag, action="store_true")
    load(name).options(parser)
    parser.parse_args(flags)


# What can be run on any archive, asks no network and ends by itself.
HARMLESS = (
    "archive list",
    "config",
    "dataset build",
    "dataset stats",
    "doctor",
    "estimate",
    "failed list",
    "status",
)
RUN = sorted(
    {
        line.removeprefix("kkoracle ")
        for _, line in COMMANDS
        if line.removeprefix("kkoracle ").startswith(HARMLESS)
        and "--watch" not in line
        and not re.search(r"[A-Z]{3}|\bpaper\b|--from|--split|\.{3}", line)
    }
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "kkoracle.toml").write_text('data = "data"\narchive = "demo"\n', "utf-8")
    for number, name in enumerate(("demo", "phoni", "vima", "kairos")):
        fill(folder / "data" / name, 80, archive=name, first=1000 * number)
    return folder


def test_what_harms_nothing_is_run(archive: Path) -> None:
    assert {next(name for name in HARMLESS if line.startswith(name)) for line in RUN} == {*HARMLESS}
    for line in ("dataset build", *RUN):
        said = run_cli(*shlex.split(line), cwd=archive)
        assert said.returncode in (0, 1), (line, said.stderr)  # 1: something needs attention
        assert said.stdout.strip() and "Traceback" not in said.stderr, line


def test_every_extra_that_is_to_be_installed_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = {
        extra
        for _, line in COMMANDS
        for group in re.findall(r"(?:kkoracle|'\.)\[([a-z,]+)\]", line)
        for extra in group.split(",")
    }
    assert asked and asked <= set(project["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


ROOMS = ("exchange", "crawler", "workers", "trainer", "kkoracle", "tools", "bench", "tests", "docs")
PLACE = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w./-]*)`((?:, `[\w-]+\.py`)*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_folder_that_a_page_names_is_there(page: Path) -> None:
    for place, siblings in PLACE.findall(page.read_text("utf-8")):
        names = [
            place,
            *(f"{Path(place).parent}/{name}" for name in re.findall(r"`(.+?)`", siblings)),
        ]
        for name in names:
            assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_tables_fit_a_screen_of_80_columns(archive: Path) -> None:
    for line in ("status", "dataset stats", "failed list", "archive list"):
        said = run_cli(*shlex.split(line), cwd=archive, COLUMNS="80")
        assert said.stdout and [one for one in said.stdout.splitlines() if len(one) > 80] == []
    # A value is never folded, so that it can be copied; what it means is.
    said = run_cli("config", cwd=archive, COLUMNS="80")
    explained = [one for one in said.stdout.splitlines() if one.startswith("    ")]
    assert explained and max(map(len, explained)) <= 80


REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")


def listed(chapter: str) -> list[str]:
    """The first cells of the tables of one chapter of the reference."""
    text = REFERENCE.partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([\w-]+)` \|", text, re.M)


def test_every_reason_code_stands_in_the_reference_and_no_other() -> None:
    found = listed("Reason codes")
    assert {*found} == reason_codes()
    rows = re.findall(r"^\| `[\w-]+` \| ([\w ,.]+) \| (.+) \|$", REFERENCE, re.M)
    assert len(rows) >= len(found) and all(about and meaning for about, meaning in rows)


def test_every_variable_stands_in_the_reference_and_no_other() -> None:
    assert {*listed("Environment variables")} == {*VARIABLES}
    assert [about for about in VARIABLES.values() if f" | {about} |" not in REFERENCE] == []
    named = {*re.findall(r"`KKORACLE_(\w+)(?:=[^`]*)?`", REFERENCE)} - {""}
    known = {*variable_names(field_names, TABLES)} | {
        name.removeprefix("KKORACLE_") for name in VARIABLES
    }
    assert named <= known


# The README as a newcomer types it: a clone, an empty home, the lines of the page as printed.

NOT_TYPED = (
    "make ",  # the demo and the suite, which stand for themselves
    "source .venv/bin/activate",  # with what is typed in the demo's folder
    "docker ",
    "cp .env.example",
    "export KKORACLE_REDIS_URL",
)
IN_THE_DEMO = ("kkoracle status", "kkoracle evaluate", "kkoracle ui")
BESIDE = ("kkoracle work", "kkoracle status --watch", "kkoracle dashboard")  # other terminals

QUICK = Answer("User-agent: *\nAllow: /", kind="text/plain")
SMALL = {  # what a page cannot know of this machine: no newspaper, no network, no hour to spare
    "KKORACLE_CRAWL_DELAY": "0",
    "KKORACLE_DASHBOARD_PORT": "0",
    "KKORACLE_DATASET_VALID": "0.3",
    "KKORACLE_EVALUATE_ABSENT": "1",
    "KKORACLE_EVALUATE_DISTURBED": "1",
    "KKORACLE_EVALUATE_JUDGE": "false",
    "KKORACLE_EVALUATE_MAX_TOKENS": "4",
    "KKORACLE_EVALUATE_QUESTIONS": "2",
    "KKORACLE_EVALUATE_SYSTEMS": "base,rag,tuned",
    "KKORACLE_TRAIN_EPOCHS": "1",
    "KKORACLE_TRAIN_SAMPLES": "0",
    "KKORACLE_WORK_ENGINE": "openai",
}


def blocks(page: Path) -> list[list[str]]:
    """The lines to type of each block of a page, without their comments."""
    found = BLOCK.findall(page.read_text("utf-8"))
    return [
        [line for raw in one.splitlines() if (line := re.split(r"\s+#", raw)[0].strip())]
        for one in found
    ]


class Newcomer:
    """A person at a terminal of a fresh account, who has a clone and types what is printed."""

    def __init__(self, folder: Path, address: str, **settings: str) -> None:
        self.home, self.place = folder / "home", folder / "clone"
        self.address = address
        self.home.mkdir()
        programs = folder / "programs"
        programs.mkdir()
        (programs / "python3").symlink_to(Path(sys.executable).resolve())
        self.environment = {
            "HOME": str(self.home),
            "PATH": f"{programs}{os.pathsep}{os.defpath}{os.pathsep}/usr/local/bin",
            "LANG": "C.UTF-8",
            # Nothing is fetched: what `make` has installed is what pip finds.
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            **openblas.environment(SMALL | settings),
        }

    def command(self, line: str) -> str:
        """A line as it is typed: the newspaper is one of this machine's."""
        host = urlsplit(self.address).netloc.replace(":", "_")  # as `learn` names its file
        return line.replace("https://paper.example", self.address).replace("paper.example", host)

    def type(self, line: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Type a line, wait for its end, and go on in its folder with its environment."""
        after = self.home / "after"
        script = f'{self.command(line)}\ncode=$?; pwd >{after}; echo "$PATH" >>{after}; exit $code'
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.place,
            env=self.environment,
            input=said,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        place, path = after.read_text("utf-8").splitlines()
        self.place, self.environment["PATH"] = Path(place), path
        return done

    def share_packages(self) -> None:
        """Let the new environment see what is installed already, behind its own."""
        (packages,) = (self.home / "kk" / "lib").glob("python3.*/site-packages")
        (packages / "shared.pth").write_text(sysconfig.get_path("purelib"), "utf-8")

    def begin(self, line: str) -> subprocess.Popen[str]:
        """Type a line in another terminal."""
        return subprocess.Popen(
            ["bash", "-c", f"exec {self.command(line)}"],
            cwd=self.place,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def copy_clone(folder: Path) -> None:
    """What git has, and what it would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


@pytest.mark.parametrize("page", ["README.md", "README.el.md"])
def test_both_readmes_have_the_same_lines_to_type(page: str) -> None:
    mine, ours = blocks(ROOT / page), blocks(ROOT / "README.md")
    assert mine == ours[: len(mine)] and len(mine) >= 6


def test_the_readme_works_from_a_fresh_clone_in_an_empty_environment(
    tmp_path: Path, tiny_model: Path
) -> None:
    copy_clone(tmp_path / "clone")
    lines = [line for block in blocks(ROOT / "README.md") for line in block]
    typed = [one for one in lines if not one.startswith(NOT_TYPED)]
    for one in IN_THE_DEMO:  # their first occurrence belongs to the demo
        typed.remove(one)
    with Loopback({"/robots.txt": QUICK, **ENGLISH.routes()}) as site, Endpoint() as endpoint:
        endpoint.reply = write_pair
        person = Newcomer(
            tmp_path,
            site.url,
            KKORACLE_MODEL_NAME=str(tiny_model),
            KKORACLE_WORK_URL=endpoint.url,
        )
        crawled: list[str] = []
        for line in typed:
            if line in BESIDE:
                continue  # typed while the crawl runs
            if line == "kkoracle crawl":
                crawled = watch_a_crawl(person, line)
                continue
            done = person.type(line, said="Who opened the new bridge?\n")
            told = done.stdout + done.stderr
            assert done.returncode == 0 or is_told(line, told, done.returncode), (line, told)
            assert "Traceback" not in told, told
            if line.startswith("python3 -m venv"):
                person.share_packages()
        assert crawled == [*BESIDE]
        made = person.home / "my-paper" / "kkoracle-data"
        (report,) = made.glob("*/runs/default/evaluation/report.html")
        assert report.stat().st_size and list(made.glob("*/published/default/*"))


def is_told(line: str, said: str, code: int) -> bool:
    """What a small archive on this machine cannot have, told as it should be."""
    expected = {
        "kkoracle doctor": "note",
        "kkoracle estimate": "disk",
        "kkoracle search": "mentions this",  # an English paper knows no Venizelos
        "kkoracle sweep": "too few",
    }
    return code in (FAILED, USAGE) and any(
        line.startswith(one) and words in said for one, words in expected.items()
    )


def watch_a_crawl(person: Newcomer, line: str) -> list[str]:
    """The crawl with the other terminals beside it; returns which of those lived to its end."""
    crawl = person.begin(line)
    others: dict[str, subprocess.Popen[str]] = {}
    try:
        until(lambda: bool([*person.place.glob("kkoracle-data/*/spool.sqlite")]), 60, crawl)
        others = {one: person.begin(one) for one in BESIDE}
        said, _ = crawl.communicate(timeout=120)
        assert crawl.returncode == 0 and "all done" in said, said
        lived = [one for one, process in others.items() if process.poll() is None]
    finally:
        for process in (crawl, *others.values()):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        for process in (crawl, *others.values()):
            process.communicate(timeout=30)
    return lived


def test_every_message_that_is_explained_is_one_of_ours() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    messages = re.findall(r"^\| `(.+?)` \|", text, re.M)
    code = "".join(
        re.sub(r"""["']\s*\n\s*f?["']""", "", path.read_text("utf-8"))
        for room in ("crawler", "exchange", "kkoracle", "trainer", "workers")
        for path in sorted((ROOT / room).rglob("*.py"))
    )
    code = re.sub(r"\{[^{}]*\}", "…", code)
    ours = [one for one in messages if not one.startswith("kkoracle: command not found")]
    assert len(ours) >= 30
    assert [one for one in ours if one not in code] == []
