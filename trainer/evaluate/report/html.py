"""HTML by hand: every text is escaped here, in one place, and every phrase comes in two languages.

The page holds both; a pair of radio buttons and a style rule choose one, without a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from trainer.evaluate.report.strings import COUNTED, METRICS, SLICES, SPLITS, STRINGS, Phrase

LANGUAGES = ("el", "en")


class Html(str):
    """Text that is HTML already; everything else is escaped when it is put into a page."""

    __slots__ = ()


def text(value: object) -> Html:
    """Anything as text. What a model or a page wrote can hold markup and control characters."""
    if isinstance(value, Html):
        return value
    shown = "".join(
        c if c.isprintable() or c in "\n\t" else " " if c.isspace() else "�" for c in str(value)
    )
    return Html(escape(shown, quote=True))


def tag(name: str, *inside: object, **attributes: object) -> Html:
    """An element; `class_` is the attribute `class`, and None leaves an attribute out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{join(inside)}</{name}>")


def join(parts: Iterable[object]) -> Html:
    """One after the other."""
    return Html("".join(text(part) for part in parts))


def bilingual(key: str, **values: object) -> Html:
    """A phrase in both languages.

    Args:
        values: what stands in its places; escaped like everything.
    """
    shown = {name: text(value) for name, value in values.items()}
    greek, english = (Html(phrase.format(**shown)) for phrase in STRINGS[key])
    return _both((greek, english))


def metric(name: str) -> Html:
    """A metric's name for people; one that is not ours keeps its own."""
    return _both(METRICS.get(name, (name, name)))


def split(name: str) -> Html:
    """A set of questions, with the name of its file."""
    phrases = SPLITS.get(name)
    return join((_both(phrases), f" ({name})")) if phrases else text(name)


def counted(name: str) -> Html:
    """What a count of the archive is about."""
    return _both(COUNTED.get(name, (name, name)))


def slicing(name: str) -> Html:
    """A way of cutting the questions into parts."""
    return _both(SLICES.get(name, (name, name)))


def _both(phrases: Phrase) -> Html:
    return join(
        tag("span", phrase, class_=language, lang=language)
        for language, phrase in zip(LANGUAGES, phrases, strict=True)
    )


def table(head: Sequence[object], rows: Iterable[Sequence[object]], *, class_: str = "") -> Html:
    """A table whose first column names the row."""
    top = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in head)))
    body = tag(
        "tbody",
        *(
            tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:]))
            for row in rows
        ),
    )
    return tag("div", tag("table", top, body, class_=class_ or None), class_="wide")


def link(address: str, shown: object) -> Html:
    """A link to a page of the newspaper; any other kind of address is only text."""
    if address.startswith(("https://", "http://")):
        return tag("a", shown, href=address, rel="noreferrer noopener")
    return text(shown)


def mean_value(figure: float | None, unit: str) -> str:
    """A mean in its unit: shares in per cent, the rest with two digits."""
    if figure is None:
        return "n/a"
    return f"{100 * figure:.1f}%" if unit == "share" else _plain(figure)


def mean_interval(low: float, high: float, unit: str) -> str:
    """Both ends of an interval of a mean; that of a share is cut where shares end."""
    if unit == "share":
        return f"{100 * max(0.0, low):.1f} – {100 * min(1.0, high):.1f}"
    return f"{_plain(low)} – {_plain(high)}"


def signed_difference(figure: float, unit: str) -> str:
    """A difference with its sign; of shares in points of a per cent."""
    digits = 1 if unit == "share" else 2 if abs(figure) > 1 else 3
    shown = f"{100 * figure if unit == 'share' else figure:+.{digits}f}"
    return shown.replace("-", "−")


def difference_interval(low: float, high: float, unit: str) -> str:
    """Both ends of an interval of differences; that of shares is cut where they end."""
    if unit == "share":
        low, high = max(-1.0, low), min(1.0, high)
    return f"[{signed_difference(low, unit)}, {signed_difference(high, unit)}]"


def _plain(figure: float) -> str:
    digits = 1 if abs(figure) >= 10 else 2
    return f"{round(figure, digits) + 0.0:.{digits}f}".replace("-", "−")  # no minus before zero


def p_value(p: float) -> str:
    """A p value."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
