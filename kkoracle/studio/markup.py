"""The studio's HTML, made by the macros of `templates/studio.html.j2`: every value stays text."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exchange.html.templates import macro

if TYPE_CHECKING:
    from markupsafe import Markup

render = partial(macro, "kkoracle.studio", "studio.html.j2")


def note(message: object, kind: str = "note") -> Markup:
    """One line that says how things are; `kind` "wrong" for what a person has to put right."""
    return render("note", message, kind)
