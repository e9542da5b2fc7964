"""Options and arguments that several commands take, each defined once, and what goes with them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

Archive = Annotated[str | None, typer.Argument(help="The archive; default: the configured one.")]
Archives = Annotated[
    list[str] | None, typer.Argument(help="The archives; default: the configured one.")
]
ArchiveOption = Annotated[
    str | None, typer.Option("--archive", help="The archive; default: the configured one.")
]
RunName = Annotated[str, typer.Option("--name", help="The run; its folder is runs/NAME.")]
Best = Annotated[
    bool, typer.Option("--best", help="Its checkpoint of lowest validation loss, not its last.")
]
Scale = Annotated[
    float,
    typer.Option(
        "--scale", min=0.0, max=1.0, help="Strength of the adapter: 1 all of it, 0 the base."
    ),
]
Abstain = Annotated[
    bool,
    typer.Option(
        "--abstain",
        help="Let the tuned model say that it does not know where it is not sure: by the threshold "
        "that `evaluate` fitted.",
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Ask nothing: download the model, take the disk space.")
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON object.")]
Restart = Annotated[
    bool, typer.Option("--restart", help="Throw away what is there and begin again.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done; do nothing.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")]
ExportFolder = Annotated[
    Path | None, typer.Option("--from", help="A folder of `kkoracle export` in place of the spool.")
]


def checkpoint(best: bool) -> Literal["last", "best"]:
    """The state of a run that `--best` chooses."""
    return "best" if best else "last"


def confirmation(
    yes: bool, *, at_terminal: bool = False, err: bool = False
) -> Callable[[str], bool]:
    """A question to the operator that `--yes` answers.

    Args:
        at_terminal: without a terminal the answer is no, instead of a line that is read.
        err: ask on standard error, so that what is piped stays clean.
    """

    def confirm(question: str) -> bool:
        return yes or ((sys.stdin.isatty() or not at_terminal) and typer.confirm(question, err=err))

    return confirm


def print_json(record: Any) -> None:
    """Write a dataclass or a mapping as one JSON object, in one line, to standard output."""
    import orjson

    found = asdict(record) if is_dataclass(record) and not isinstance(record, type) else record
    sys.stdout.write(orjson.dumps(found, default=str).decode() + "\n")


def result_console(json: bool = False) -> Console:
    """Where a command prints for people: standard error when standard output carries JSON."""
    from rich.console import Console

    return Console(highlight=False, stderr=json)
