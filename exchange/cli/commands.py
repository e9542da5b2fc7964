"""Commands and groups as Typer is given them: their place in the help, examples, the journal."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import typer
from typer.core import TyperCommand, TyperGroup

Panel = Literal["Start", "Archive", "Pairs", "Dataset", "Model", "Share", "Look and operate"]
PANELS: tuple[Panel, ...] = get_args(Panel)  # in the order in which a newcomer needs them
_NOT_JOURNALLED = "_not_journalled"


class HelpfulCommand(TyperCommand):
    """A command whose help is shown as it is written."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with _escaped(self, *self.get_params(ctx)):
            super().format_help(ctx, formatter)


class HelpfulGroup(TyperGroup):
    """A group of commands whose help is shown as it is written, panel by panel."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with _escaped(self, *self.get_params(ctx), *self.commands.values()):
            super().format_help(ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        """In the panels' order; within a panel as they were added."""

        def place(name: str) -> int:
            panel = getattr(self.commands[name], "rich_help_panel", None)
            return PANELS.index(panel) if panel in PANELS else len(PANELS)

        return sorted(super().list_commands(ctx), key=place)


@contextmanager
def _escaped(*owners: Any) -> Iterator[None]:
    """While Rich prints these commands and options, brackets are text and switches have no type.

    Typer hands every text to Rich as markup, which would swallow `[train] lr` or `[a]ccept`.
    """
    from rich.markup import escape

    before: list[tuple[Any, str, Any]] = []

    def put(owner: Any, name: str, value: Any) -> None:
        before.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    try:
        for owner in owners:
            for name in ("help", "short_help"):
                if text := getattr(owner, name, None):
                    put(owner, name, escape(_unwrapped(text)))
            for name in ("epilog", "rich_help_panel"):
                if text := getattr(owner, name, None):
                    put(owner, name, escape(text))
            if getattr(owner, "is_flag", False) and owner.metavar is None:
                put(owner, "metavar", "")
        yield
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)


def _unwrapped(text: str) -> str:
    """Each paragraph in one line, for the terminal to fold."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def add_command(
    app: typer.Typer,
    command: Callable[..., None],
    *examples: str,
    panel: Panel | None = None,
    name: str | None = None,
    journal: bool = True,
) -> None:
    """Add a command to the front door, or to a group.

    Args:
        examples: whole command lines, shown at the end of its help.
        panel: where the front door's help lists it.
        name: what it is called; default: the function's name.
        journal: whether its end is worth an entry in the archive's journal.
    """
    if not journal:
        setattr(command, _NOT_JOURNALLED, True)
    app.command(
        name,
        cls=HelpfulCommand,
        rich_help_panel=panel,
        epilog=_epilog(examples),
    )(command)


def add_group(app: typer.Typer, name: str, about: str, panel: Panel) -> typer.Typer:
    """Add a group of commands to the front door; `add_command` fills it."""
    group = typer.Typer(cls=HelpfulGroup, no_args_is_help=True, help=about)
    app.add_typer(group, name=name, rich_help_panel=panel)
    return group


def _epilog(examples: Sequence[str]) -> str | None:
    return "Examples:\n" + "\n".join(f"  {line}" for line in examples) if examples else None


def is_journalled(root: Any, words: Sequence[str], options: Sequence[str]) -> bool:
    """Whether a command line is worth an entry in the journal; unknown commands are.

    Args:
        root: the front door's group, as Click knows it.
        words: of the command line, without the program's name.
        options: the front door's own that take a value.
    """
    if not words or {"--help", "-h"} & {*words}:
        return False
    at, command = 0, root
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in options else 1
    while at < len(words) and words[at] in getattr(command, "commands", {}):
        command = command.commands[words[at]]
        at += 1
    return not getattr(command.callback, _NOT_JOURNALLED, False)
