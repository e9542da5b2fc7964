"""What the pages tell people to type exists: commands, options, targets, extras, benches, links."""

from __future__ import annotations

import argparse
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from bench.registry import NAMES, load
from exchange.settings import VARIABLES, variable_names
from kkoracle.cli.app import app
from kkoracle.settings import TABLES, field_names
from tests.conftest import run_cli
from tests.reason_codes import reason_codes
from tests.trainer.filling import fill

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
    fill(folder / "data" / "demo", 80)
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
