"""Flags made from settings: help, bounds, default and unit stand in the pydantic field alone."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from exchange.settings import SettingsTable

Command = Callable[..., None]
_UNITS = {"_s": "seconds", "_mb": "MB", "_gb": "GB"}
_PLAIN = (bool, int, float, str)


def settings_options(
    table: str,
    model: type[SettingsTable],
    *fields: str,
    into: str = "settings",
    names: Mapping[str, tuple[str, ...]] | None = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[Command], Command]:
    """Give a command one option for each of these fields, and the table that they lead to.

    The command is called with the table as keyword `into`, read from flags, environment, file
    and defaults, in that order. Values are checked by the model alone, so that a flag, a
    variable and a line of the file that are wrong are refused in the same words.

    Args:
        table: its name in `kkoracle.toml`.
        fields: of the model; each becomes `--its-name`, a bool also `--no-its-name`.
        names: the options of a field that are not called after it.
        presets: values under the flags, by the name of the command's own switch for them.
    """

    def decorate(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True)
        given = [p for name, p in own.parameters.items() if name != into]
        made = [
            _option(table, name, model.model_fields[name], (names or {}).get(name))
            for name in fields
        ]

        # No `functools.wraps`: Typer would look through `__wrapped__` at the command's own options.
        def run(ctx: typer.Context, **values: Any) -> None:
            flags = {name: values.pop(_parameter(table, name)) for name in fields}
            for switch, preset in (presets or {}).items():
                if values.get(switch):
                    flags = {**preset, **{k: v for k, v in flags.items() if v is not None}}
            found = ctx.obj.config.table(table, model, flags)
            command(ctx, **values, **{into: found})

        functools.update_wrapper(run, command)
        del run.__wrapped__  # type: ignore[attr-defined]
        parameters = [*given, *made]
        run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def model_option(command: Command) -> Command:
    """Give a command `--model`, and the table that it leads to as keyword `language_model`."""
    from exchange.inference.models import ModelSettings

    options = settings_options(
        "model", ModelSettings, "name", into="language_model", names={"name": ("--model",)}
    )
    return options(command)


def _parameter(table: str, field: str) -> str:
    """What the option's parameter is called: unlike any of the command's own."""
    return f"{table}_{field}"


def _option(
    table: str, name: str, field: FieldInfo, options: tuple[str, ...] | None
) -> inspect.Parameter:
    kind, choices = _kind(field)
    flag = f"--{name.replace('_', '-')}"
    default = options or ((f"{flag}/--no-{name.replace('_', '-')}",) if kind is bool else (flag,))
    unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), kind.__name__)
    metavar = None if kind is bool else f"<{'|'.join(choices) or unit}>"
    option = typer.Option(
        *default,
        help=_help(field),
        metavar=metavar,
        show_default=False,
        rich_help_panel=f"Settings, as in [{table}] of kkoracle.toml",
    )
    return inspect.Parameter(
        _parameter(table, name),
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _kind(field: FieldInfo) -> tuple[type, tuple[str, ...]]:
    """What the command line takes for a field, and what it may be if that is a short list.

    A list is written with commas; what has a form of its own (a date, "30m") is text here.
    """
    annotation, origin = field.annotation, get_origin(field.annotation)
    if any(isinstance(rule, BeforeValidator) for rule in field.metadata):
        return str, ()
    if origin is Literal:
        return str, tuple(map(str, get_args(annotation)))
    if origin in (Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    plain: type = annotation if annotation in _PLAIN else str  # type: ignore[assignment]
    return plain, ()


def _help(field: FieldInfo) -> str:
    text = field.description or ""
    first = text.split(" ", 1)[0]
    if not first.endswith(":") and not first.startswith("--"):
        text = text[:1].upper() + text[1:]
    if text[-1:] not in ".!?":
        text += "."
    facts = [part for part in (_bounds(field), _default(field)) if part]
    return f"{text} [{'; '.join(facts)}]" if facts else text


def _bounds(field: FieldInfo) -> str:
    """The values that are taken, in words."""
    found = {
        key: getattr(rule, key)
        for rule in field.metadata
        for key in ("ge", "gt", "le", "lt")
        if getattr(rule, key, None) is not None
    }
    if set(found) == {"ge", "le"}:
        return f"{found['ge']:,} to {found['le']:,}"
    words = {"ge": "at least", "gt": "over", "le": "at most", "lt": "under"}
    return ", ".join(f"{words[key]} {value:,}" for key, value in found.items())


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value == "" or value == ():
        return ""
    if isinstance(value, bool):
        return f"default: {'yes' if value else 'no'}"
    return f"default: {', '.join(map(str, value)) if isinstance(value, tuple) else value}"
