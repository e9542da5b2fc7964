"""Templates as files, in which every value is text unless it is `Markup`.

Each package that shows pages keeps its own in a folder `templates`. What a model, a page of the
newspaper or a peer wrote may hold markup and control characters: the former is escaped, the latter
are taken away, wherever a value is put into a template.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from exchange.text.controls import printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def clean(value: object) -> Any:
    """A text without control or direction marks; lines and tabs, numbers and `Markup` stay."""
    if isinstance(value, int | float) or hasattr(value, "__html__"):
        return value
    return printable(str(value))


def is_web_address(url: str) -> bool:
    """Whether a page may link there; an address of any other kind is only shown."""
    return url.lower().startswith(("https://", "http://"))


@cache
def environment(package: str) -> Environment:
    """The templates of a package, by its dotted name; a missing value is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=clean,
        auto_reload=False,
    )
    made.tests["web_address"] = is_web_address
    return made


def macro(package: str, file: str, name: str, *values: object, **named: object) -> Markup:
    """What one macro of a file of templates makes of some values."""
    found: Markup = getattr(environment(package).get_template(file).module, name)(*values, **named)
    return found
