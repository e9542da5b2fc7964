"""The help pages: all of what is written is shown, with examples that are real commands."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer

from exchange.cli.commands import PANELS
from kkoracle.cli.app import app
from kkoracle.settings import TABLES, settings_model
from tests.conftest import run_cli

ROOT = typer.main.get_command(app)


def pages(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group, with the words that lead to it."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from pages(child, *path, name)


PAGES = list(pages(ROOT))
COMMANDS = [(path, one) for path, one in PAGES if not hasattr(one, "commands")]
LEAVES = [pytest.param(path, one, id=" ".join(path)) for path, one in COMMANDS]


def parsed(words: list[str]) -> Any:
    """Read a command line down to the options of its last command, as the program would."""
    command, context = ROOT, None
    name = "kkoracle"
    while True:
        context = command.make_context(name, words, parent=context)
        if not hasattr(command, "commands"):
            return context
        rest = [*context._protected_args, *context.args]
        name, command, words = command.resolve_command(context, rest)


def rendered(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(typer.Exit):
        parsed([*path, "--help"])
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 240)


def texts(command: Any) -> Iterator[str]:
    """What was written for a page: about the command, its parameters and its commands."""
    yield command.help or ""
    yield command.epilog or ""
    for param in command.params:
        yield getattr(param, "help", None) or ""
    for child in getattr(command, "commands", {}).values():
        yield inspect.cleandoc(child.help).partition("\n\n")[0]


@pytest.mark.parametrize(("path", "command"), [pytest.param(*p, id=" ".join(p[0])) for p in PAGES])
def test_a_page_shows_every_word_that_was_written_for_it(
    path: tuple[str, ...], command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    page = rendered(path, capsys)
    shown = set(page.split())
    for text in texts(command):
        assert [word for word in text.split() if word not in shown] == []
    assert "<bool>" not in page


@pytest.mark.parametrize(("path", "command"), LEAVES)
def test_a_command_with_arguments_shows_examples_that_are_understood(
    path: tuple[str, ...], command: Any
) -> None:
    assert command.help
    lines = (command.epilog or "").splitlines()[1:]
    assert lines or not command.params
    for line in lines:
        words = shlex.split(re.split(r"[<>]", line)[0])
        words = words[words.index("kkoracle") + 1 :]
        assert tuple(words[: len(path)]) == path
        parsed(words)


def test_the_front_page_has_a_panel_for_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    page = rendered((), capsys)
    places = [page.index(f" {panel} ", page.index("Start ")) for panel in PANELS[1:]]
    assert places == sorted(places)
    assert {getattr(one, "rich_help_panel", None) for one in ROOT.commands.values()} == set(PANELS)


def test_a_flag_says_what_its_setting_says() -> None:
    """Help, bounds and default of the flags come from the fields, whose words they hold."""
    made = [
        (param.name, param.help)
        for _, command in COMMANDS
        for param in command.params
        if (getattr(param, "rich_help_panel", None) or "").startswith("Settings")
    ]
    assert len(made) > 40
    for name, text in made:
        table, field = next(
            (table, name.removeprefix(f"{table}_"))
            for table in TABLES
            if table and name.startswith(f"{table}_")
        )
        about = settings_model(table).model_fields[field].description or ""
        assert about[1:].rstrip(".") in text


def test_bounds_and_default_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    page = rendered(("train",), capsys)
    assert "--rank <int>" in page and "[1 to 1,024; default: 16]" in page
    assert "--recipe <sft|" in page and "--trunk-gb <GB>" in page
    assert "[train] of kkoracle.toml" in page


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["train", "--wrong"], "`kkoracle train --help`"),
        (["dataset", "build", "--wrong"], "`kkoracle dataset build --help`"),
        (["failed", "wrong"], "`kkoracle failed --help`"),
        (["wrong"], "`kkoracle --help`"),
    ],
)
def test_a_usage_error_points_at_its_own_command(
    tmp_path: Path, words: list[str], hint: str
) -> None:
    said = run_cli(*words, cwd=tmp_path)
    assert said.returncode == 2 and hint in said.stderr


def test_short_options_and_completion(tmp_path: Path) -> None:
    assert run_cli("train", "-h", cwd=tmp_path).stdout == (
        run_cli("train", "--help", cwd=tmp_path).stdout
    )
    assert "--install-completion" in run_cli("-h", cwd=tmp_path).stdout
    assert run_cli("-q", "-v", "config", cwd=tmp_path).returncode == 0
    level = run_cli("-v", "config", "--json", cwd=tmp_path)
    assert orjson.loads(level.stdout)["log.level"]["value"] == "info"


@pytest.mark.parametrize(
    "words", ["doctor", "config", "archive list", "status demo", "estimate demo"]
)
def test_json_is_one_object_and_nothing_else(tmp_path: Path, words: str) -> None:
    said = run_cli(*words.split(), "--json", cwd=tmp_path)
    assert said.stdout.count("\n") == 1 or said.returncode == 1
    if said.stdout:
        assert orjson.loads(said.stdout)
