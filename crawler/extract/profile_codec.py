"""A profile on its way to the process that extracts by it: checked here, only read there.

Checking it again would load the checker there too: a tenth of a second and 15 MB in each process.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import orjson

if TYPE_CHECKING:
    from crawler.profile import Profile


def pack(profile: Profile) -> bytes:
    """What extraction reads of a profile, and its base, as JSON."""
    return profile.of_extraction("base").encode()


def unpack(packed: bytes) -> Profile:
    """The same by the same names; asked for anything else it raises AttributeError."""
    told = orjson.loads(packed)
    months = told.pop("months")
    return cast("Profile", SimpleNamespace(**_fields(told), months=months))


def _fields(told: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in told.items()}


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**_fields(value))
    return tuple(map(_value, value)) if isinstance(value, list) else value
