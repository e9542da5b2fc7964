"""Characters that no reader sees and that a terminal, a browser or a model may obey.

The one place that says which they are. Foreign text goes through `printable` on its way in
(extraction, import) and once more on its way out (tables, logs, messages), as a store may be older
than this rule and a peer or a model may send anything.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from functools import cache

# What terminals obey: `ESC [ 31 m` and its kin, and titles and links, up to their end. Taken away
# whole, since `[31m` without its escape is rubbish in a text. ASCII, so that bytes may be searched.
ESCAPE_SEQUENCE = (
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|[\]P^_X][^\x00-\x08\x0a-\x1f]{0,512}(?:\x07|\x1b\\))"
)
_ESCAPES = re.compile(ESCAPE_SEQUENCE + r"|\x9b[0-?]{0,64}[ -/]{0,8}[@-~]")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# C0 but tab and line end, C1, half characters and such as stand for none; what turns the direction
# of writing (Trojan Source, Boucher and Anderson 2021), what has no width and no meaning in print,
# and the tags in which text can be hidden from people and not from a model. First and last.
_RANGES = (
    *((0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E)),
    *((0x200B, 0x200B), (0x200E, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xD800, 0xDFFF)),
    *((0xFDD0, 0xFDEF), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xFFFE, 0xFFFF), (0xE0000, 0xE007F)),
)
# Joiners belong to the scripts that join letters, and to emoji; elsewhere they only hide in words,
# so that no search finds these.
_APART = "[^\u0590-\u1dff\u2000-\U0010ffff]"


@cache  # few texts need it
def _harmful() -> re.Pattern[str]:
    ranges = "".join(f"{chr(first)}-{chr(last)}" for first, last in _RANGES)
    joiners = f"(?<={_APART})[\u200c\u200d]|[\u200c\u200d](?={_APART})"
    return re.compile(f"[{ranges}]|{joiners}")


def printable(text: str) -> str:
    """Foreign text without what is obeyed or hidden; line ends and tabs stay.

    >>> printable("\\x1b[31mred\\x1b[0m, a\\u202eb")
    'red, ab'
    """
    if text.isprintable():
        return text
    if "\x1b" in text or "\x9b" in text:
        text = _ESCAPES.sub("", text)
    return _harmful().sub("", _LINE_ENDS.sub("\n", text))


def one_line(text: str, longest: int | None = None) -> str:
    """Foreign text as one line that is safe to print, cut to so many characters."""
    line = " ".join(printable(text).split())
    return line if longest is None or len(line) <= longest else line[: longest - 1] + "…"


def strip_in_tables() -> None:
    """Have Rich take these characters out of every text that it prints, as it does with a few.

    It takes the table that `str.translate` is given as a default of one of its functions, which
    all of its texts go through.
    """
    from rich.control import strip_control_codes

    (table,) = strip_control_codes.__defaults__ or ({},)
    table.update({code: None for first, last in _RANGES for code in range(first, last + 1)})


_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run (OWASP, CSV injection)


def plain_cell(text: str) -> str:
    """Text for a cell of a table: what a spreadsheet would take for a formula gets an apostrophe.

    A number with its sign stays one.
    """
    number = text[1:].translate(str.maketrans("", "", ".,% ")).isdecimal()
    risky = text.startswith(_FORMULA) and not (text[0] in "+-" and number)
    return f"'{text}" if risky else text


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """Rows of a CSV file, their texts as `plain_cell` has them."""
    table = io.StringIO(newline="")
    csv.writer(table).writerows(
        [plain_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    return table.getvalue()


_MARKUP = re.compile(
    r"[\\`*_{}\[\]>#|!~&]|^[-+=]"
    r"|(?:(?<=^\d)|(?<=^\d\d)|(?<=^\d\d\d)|(?<=^\d\d\d\d))[.)]"  # items of lists, years too
)


def plain_markdown(text: str) -> str:
    """Foreign text as one line that Markdown and the HTML in it show as it stands.

    >>> plain_markdown("1. <b>[a](b)")
    '1\\\\. &lt;b\\\\>\\\\[a\\\\](b)'
    """
    # Not every reader of Markdown knows a backslash before it.
    return _MARKUP.sub(r"\\\g<0>", one_line(text)).replace("<", "&lt;")
