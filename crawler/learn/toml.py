"""A profile as the TOML file that a crawl reads, in the order in which people read one."""

from __future__ import annotations

import json
from typing import Any

from crawler.profile import Profile


def write(profile: Profile, notes: str) -> str:
    """The whole file.

    Args:
        notes: lines for the top, without their mark.
    """
    raw = profile.model_dump(mode="json", exclude_defaults=True)
    lines = [f"# {line}".rstrip() for line in notes.splitlines()]
    tables = ("kinds", "shapes", "leave_out", "chunk", "ranges")
    lines += [f"{key} = {_value(value)}" for key, value in raw.items() if key not in tables]
    for name, kind in raw["kinds"].items():
        lines += ["", f"[kinds.{name}]", *_pairs(kind)]
    for name in ("leave_out", "chunk"):
        if raw.get(name):
            lines += ["", f"[{name}]", *_pairs(raw[name])]
    for name in ("ranges", "shapes"):
        for entry in raw.get(name, ()):
            lines += ["", f"[[{name}]]", *_pairs(entry)]
    return "\n".join(lines) + "\n"


def _pairs(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value: Any) -> str:
    if isinstance(value, str):
        plain = "'" not in value and "\n" not in value and ('"' in value or "\\" in value)
        return f"'{value}'" if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dict):
        if not value.get("match") and "xpath" in value:
            return _value(value["xpath"])
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)
