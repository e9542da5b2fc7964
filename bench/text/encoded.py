"""Seven ways in which an old Greek page is encoded and labelled, and twelve dated lines."""

from __future__ import annotations

from crawler.extract.charset import decode
from exchange.text import dates
from kkoracle.demo.newspaper.inflect import MONTHS_DEMOTIC

_SCRIPT = "<script>" + "var place = 'top'; document.write(place);\n" * 300 + "</script>"
_TEXT = (
    "<html><body>{script}<p>Άλλη μέρα στην Άνω Πόλη: «Άρα φεύγω», είπε η Άννα – κι έφυγε.</p>"
    "<p>Άγνωστο παραμένει πότε θα γυρίσουν οι εργάτες του λιμανιού. Ήρθαν 300 άνθρωποι.</p>"
    "{script}</body></html>"
)
_PLAIN = _TEXT.replace("–", "-")  # iso-8859-7 has no dash

# name, codec, what the server's header says, scripts at both ends
_CASES = (
    ("windows-1253, right label", "cp1253", "windows-1253", False),
    ("windows-1253, wrong label", "cp1253", "iso-8859-1", False),
    ("windows-1253, no label", "cp1253", "", False),
    ("windows-1253, no label, scripts at both ends", "cp1253", "", True),
    ("iso-8859-7, right label, scripts at both ends", "iso8859-7", "iso-8859-7", True),
    ("iso-8859-7, no label", "iso8859-7", "", False),
    ("UTF-8, wrong label", "utf-8", "windows-1253", True),
)


def charsets() -> dict[str, bool]:
    """Each case by name, and whether every character of it is read right."""
    return {name: _reads(codec, label, script) for name, codec, label, script in _CASES}


def _reads(codec: str, label: str, script: bool) -> bool:
    source = _PLAIN if codec == "iso8859-7" else _TEXT
    text = source.format(script=_SCRIPT if script else "")
    return decode(text.encode(codec), label) == text


def months() -> dict[str, bool]:
    """A dated line of each month as newspapers print it, and whether it is read right."""
    return {
        name: dates.parse_date(f"Σάββατο {day} {name} - Κυριακή {day + 1} {name} 1998")
        == f"1998-{day:02}-{day:02}"
        for day, name in enumerate(MONTHS_DEMOTIC, 1)
    }
