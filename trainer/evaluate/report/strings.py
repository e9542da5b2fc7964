"""How the report says things: phrases in every language, and numbers by their unit.

The phrases stand in `languages/*.toml`, one file a language, all with the same keys. The page holds
all languages; radio buttons and a style rule choose one, without a script.
"""

from __future__ import annotations

import os
import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.errors import UsageError
from exchange.html.templates import clean
from trainer.statistics import within_shares

if TYPE_CHECKING:
    from markupsafe import Markup

_FOLDER = resources.files(__package__) / "languages"


@cache
def languages() -> dict[str, str]:
    """The languages of the page by code, in their own names."""
    codes = sorted(file.name[:-5] for file in _FOLDER.iterdir() if file.name.endswith(".toml"))
    return {code: load(code)["name"] for code in codes}


@cache
def load(language: str) -> dict[str, Any]:
    """The tables metrics, splits, slices, counts and text of one language."""
    return tomllib.loads((_FOLDER / f"{language}.toml").read_text("utf-8"))


def reader_language(wanted: str, archive: str) -> str:
    """The language that a page opens in: as set, else the machine's, else the newspaper's.

    Raises:
        UsageError: the page is not there in the language that was set.
    """
    known = languages()
    if wanted and wanted not in known:
        raise UsageError(f"[evaluate] report_language: {wanted} is none of {', '.join(known)}")
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    machine = next(filter(None, names), "")[:2]  # such as el_GR.UTF-8
    return next((code for code in (wanted, machine, archive) if code in known), "en")


def plain_phrase(language: str, key: str, /, **values: object) -> str:
    """A phrase in one language, where there can be no markup: a title, a text for an image."""
    text: str = load(language)["text"][key]
    return clean(text.format(**values) if values else text)


def phrase(key: str, /, **values: object) -> Markup:
    """A phrase in every language; `values` fill its places, escaped like everything."""
    return _in_every_language({code: load(code)["text"][key] for code in languages()}, values)


def named(table: str, name: str) -> Markup:
    """The name that people give to a metric, split, slice or count; others keep their own."""
    return _in_every_language({code: load(code)[table].get(name, name) for code in languages()}, {})


def split_title(name: str) -> Markup:
    """A set of questions, with the name of its file."""
    from markupsafe import Markup, escape

    if name not in load("en")["splits"]:
        return escape(clean(name))
    return Markup("{} ({})").format(named("splits", name), name)


def _in_every_language(texts: dict[str, str], values: dict[str, object]) -> Markup:
    from markupsafe import Markup, escape

    shown = {name: clean(value) for name, value in values.items()}
    span = Markup('<span class="{0}" lang="{0}">{1}</span>')
    return Markup("").join(
        span.format(code, escape(clean(text)).format(**shown) if values else clean(text))
        for code, text in texts.items()
    )


def model_title(model: str) -> str:
    """A model's name; of a folder only the last part, since the page may be sent to others."""
    return Path(model).name if model.startswith((".", "/", "~")) else model


def thousands(count: float) -> str:
    """A whole number with separators."""
    return f"{count:,.0f}"


def mean_value(mean: float | None, unit: str) -> str:
    """A mean in its unit: shares in per cent, the rest with two digits."""
    if mean is None:
        return "n/a"
    return f"{100 * mean:.1f}%" if unit == "share" else _plain(mean)


def mean_interval(low: float, high: float, unit: str) -> str:
    """Both ends of an interval of a mean; that of a share is cut where shares end."""
    if unit == "share":
        return f"{100 * max(0.0, low):.1f} – {100 * min(1.0, high):.1f}"
    return f"{_plain(low)} – {_plain(high)}"


def signed_difference(gain: float, unit: str) -> str:
    """A difference with its sign; of shares in points of a per cent."""
    digits = 1 if unit == "share" else 2 if abs(gain) > 1 else 3
    shown = f"{100 * gain if unit == 'share' else gain:+.{digits}f}"
    return shown.replace("-", "−")


def difference_interval(low: float, high: float, unit: str) -> str:
    """Both ends of an interval of differences; that of shares is cut where they end."""
    if unit == "share":
        low, high = within_shares(low, high)
    return f"[{signed_difference(low, unit)}, {signed_difference(high, unit)}]"


def gain_with_interval(gain: float, low: float, high: float, unit: str) -> str:
    """A difference followed by its interval."""
    return f"{signed_difference(gain, unit)} {difference_interval(low, high, unit)}"


def p_value(p: float | None) -> str:
    """A p value; "" where there is none."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _plain(value: float) -> str:
    digits = 1 if abs(value) >= 10 else 2
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")  # no minus before zero
