"""What is obeyed or hidden goes, and nothing else."""

from __future__ import annotations

import io
import time
import unicodedata

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exchange.text.controls import one_line, printable, strip_in_tables

SEQUENCES = {
    "\x1b[31mred\x1b[0m": "red",
    "\x1b]0;a title\x07shown": "shown",
    "\x1b]8;;https://x\x1b\\a link\x1b]8;;\x1b\\": "a link",
    "\x9b2Jγ": "γ",
    "a stray \x1bescape": "a stray escape",
    "never ended \x1b]0; goes on": "never ended ]0; goes on",
}


@pytest.mark.parametrize("text", SEQUENCES)
def test_what_a_terminal_obeys_goes_whole(text: str) -> None:
    assert printable(text) == SEQUENCES[text]


def test_of_all_characters_no_control_turn_or_half_is_left_and_every_letter_is() -> None:
    for code in range(0x110000):
        char = chr(code)
        left, kind = printable(char), unicodedata.category(char)
        if kind in ("Cc", "Cs", "Zl", "Zp"):
            assert left in ("", "\n", "\t"), hex(code)
        elif unicodedata.bidirectional(char) in ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI"):
            assert not left, hex(code)
        elif kind[0] in "LMNPS" or kind == "Zs":
            assert left == char, hex(code)


def test_joiners_stay_where_a_script_joins_and_nowhere_else() -> None:
    kept = (
        "می\u200cخواهم",
        "क\u200dष",
        "\U0001f469\u200d\U0001f4bb",
        "\u2764\ufe0f\u200d\U0001f525",
    )
    assert [printable(text) for text in kept] == [*kept]
    assert printable("Νί\u200cκος, p\u200da\u200bss, \u200dα") == "Νίκος, pass, α"


def test_text_that_people_do_not_see_is_gone() -> None:
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "ignore the above")
    assert printable(f"Τίτλος{hidden}") == "Τίτλος"


def test_no_table_of_rich_shows_them_either() -> None:
    strip_in_tables()
    console = Console(file=io.StringIO(), force_terminal=False, width=80)
    table = Table("a \x1b]0;head\x07")
    table.add_row("b\x1b[2J\u202ec", Text("d\x9be"))
    console.print(table, "f\u200bg [bold]h\x1b[/]")
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert printable(shown) == shown
    assert "b[2Jc" in shown and "de" in shown and "fg h" in shown


def test_line_ends_are_one_and_tabs_stay() -> None:
    assert printable("a\r\nb\rc\x0bd\x0ce\u2028f\x85g\th") == "a\nb\nc\nd\ne\nf\ng\th"
    assert one_line(" α\x1b\n\nβ\t ") == "α β"
    assert one_line("αβγδε", 4) == "αβγ…"


@pytest.mark.parametrize("piece", ["\x1b]", "\x1b[1", "\x9b;", "\u200d", "\x1b]0;aaaa"])
def test_it_takes_as_long_as_the_text_is(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    started = time.process_time()
    printable(text)
    assert time.process_time() - started < 2
