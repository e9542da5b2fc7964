"""Write the config file, and show what is in force."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson

from crawler import profiles
from crawler.settings import CrawlSettings
from exchange import logs
from exchange.cli.options import print_json
from exchange.errors import UsageError
from exchange.files import write_atomic
from exchange.records import ARCHIVE_PATTERN
from exchange.settings import Config, SettingsTable
from exchange.text.fold import fold
from kkoracle.settings import TABLES, settings_model


def write_config(path: Path, archive: str, contact: str, *, imported: bool = False) -> str:
    """Write a new config file that names every setting; the defaults stand as comments.

    Returns the archive's name, which for a profile's file is made of that.

    Args:
        archive: its name, or the file of a profile, which is then the one used.
        imported: its stories come from files alone, so that any name will do.

    Raises:
        UsageError: there is one already, the archive's name cannot be one, or there is no such
            profile (the nearest is named), or the profile is not sound.
    """
    if path.exists():
        raise UsageError(f"{path} exists already: edit it, or move it away first")
    profile = ""
    if archive.endswith(".toml"):
        if not Path(archive).is_file():
            raise UsageError(
                f"there is no profile {archive}: `kkoracle archive learn` proposes one"
            )
        profile = archive
        archive = re.sub(r"[^a-z0-9_]+", "-", Path(archive).stem.lower()).strip("-")
    if not ARCHIVE_PATTERN.fullmatch(archive):
        near = _nearest(archive)
        meant = f"; did you mean {near!r}?" if near else ""
        raise UsageError(
            f"{archive!r} is no archive name: lower-case letters, digits, - and _{meant}"
        )
    try:
        wanted = CrawlSettings.model_validate({"profile": profile, "contact": contact})
        profiles.load(wanted, archive, imported=imported or bool(profile))
    except UsageError:
        known = sorted(profiles.builtin())
        if profile or archive in known:
            raise
        near = _nearest(archive)
        hint = f"did you mean {near!r}?" if near else f"known are {', '.join(known)}."
        raise UsageError(
            f"no profile {archive!r} comes with it; {hint} For another newspaper `kkoracle archive "
            f"learn ADDRESS` writes a profile to name here, and for files that you import it is "
            f"`kkoracle init {archive} --imported`"
        ) from None
    given = {"archive": archive, "crawl.contact": contact, "crawl.profile": profile}
    lines = [
        "# kkoracle: every setting, with its default as a comment. `kkoracle config` shows",
        "# what is in force. Environment variables (KKORACLE_CRAWL_DELAY=2) come first.",
        "",
    ]
    for table in TABLES:
        if table:
            lines += ["", f"[{table}]"]
        lines += _table_lines(table, settings_model(table), given)
    write_atomic(path, "\n".join(lines) + "\n")
    return archive


def _nearest(name: str) -> str:
    """The known archive that somebody means, by its name here or the newspaper's own; or ""."""
    names = {key: key for key in profiles.builtin()}
    names |= {fold(profile.name): key for key, profile in profiles.builtin().items()}
    near = get_close_matches(fold(name), names, n=1)
    return names[near[0]] if near else ""


def _table_lines(table: str, model: type[SettingsTable], given: dict[str, str]) -> list[str]:
    lines = []
    for key, field in model.model_fields.items():
        value = given.get(f"{table}.{key}" if table else key)
        default = field.get_default(call_default_factory=True, validated_data={})
        mark = "" if value else "# "
        lines.append(
            f"{mark}{key} = {_to_toml(value or default)}  # {field.description or ''}".rstrip()
        )
    return lines


def _to_toml(value: Any) -> str:
    """TOML for the few kinds of values we have; None is shown as an empty string."""
    if isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_to_toml(item) for item in value) + "]"
    text = "" if value is None else str(value)
    return orjson.dumps(text).decode()


def print_config(config: Config, *, as_json: bool = False) -> None:
    """Print each value with its source and meaning; secrets are named but not shown."""
    rows = [row for name in TABLES for row in _settings(config, name)]
    if as_json:
        print_json(
            {
                key: {
                    "value": value if shown == str(value) else shown,
                    "from": source,
                    "about": about,
                }
                for key, value, shown, source, about in rows
            }
        )
        return
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    for key, value, shown, source, about in rows:
        said = Text(f"{key} = {_to_toml(value if shown == str(value) else shown)}", style="bold")
        said.append(f"  ({source})", style="not bold dim")
        console.print(said, soft_wrap=True)  # in one line, so that a long value can be copied
        console.print(Padding(Text(about), (0, 0, 0, 4), expand=False))


def _settings(config: Config, table: str) -> Iterator[tuple[str, Any, str, str, str]]:
    """Name, value, value as it may be shown, source and meaning of a table's settings."""
    loaded = config.table(table, settings_model(table))
    for key, field in type(loaded).model_fields.items():
        value = getattr(loaded, key)
        dotted = f"{table}.{key}" if table else key
        yield (
            dotted,
            value,
            logs.mask_setting(dotted, value),
            config.sources[dotted],
            field.description or "",
        )
