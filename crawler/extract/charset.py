"""Bytes to text. Old Greek pages announce the wrong charset often enough not to be believed.

Source of the rule: seven made and stored pages, of which it reads seven right.
"""

from __future__ import annotations

import re
import unicodedata

from exchange.text.fold import collapse_spaces

# In windows-1253 Ά is 0xA2, in iso-8859-7 it is 0xB6; nothing else common differs.
_LOWER = rb"[\xdc-\xfe]"
_ISO_ALPHA = re.compile(rb"\xb6(?=" + _LOWER + rb")")
_WINDOWS_ALPHA = re.compile(rb"\xa2(?=" + _LOWER + rb")")
_C1 = re.compile(rb"[\x80-\x9f]")
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)""", re.I)
# U+200C and U+200D join letters or keep them apart: Persian and the scripts of India need them.
_INVISIBLE = re.compile("[\xad\u200b\u2060\ufeff]")
_UNSEEN = re.compile("[\x80-\x9f\xad\u200b\u2060\ufeff]")
_C1_CONTROLS = re.compile("[\x80-\x9f]")
GOOD_PER_BAD = 20  # UTF-8 with a few broken bytes is still UTF-8


def decode(body: bytes, announced: str = "", charset: str = "greek") -> str:
    """Decode a page.

    Args:
        announced: what the server's header said; asked only when `charset` is a codec's name.
        charset: "greek" judges by the bytes alone; a codec's name is the last resort after
            UTF-8 and what the page announces.
    """
    for mark, codec in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if body.startswith(mark):
            return body.decode(codec, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    text = body.decode("utf-8", "replace")
    if len(_MULTIBYTE.findall(body)) >= GOOD_PER_BAD * text.count("\ufffd"):
        return text
    if charset == "greek":
        return body.decode(greek_codec(body), "replace")
    meta = _META.search(body[:4096])
    for name in (announced, meta[1].decode("ascii") if meta else "", charset):
        if name and name.lower().replace("_", "-") not in ("utf-8", "utf8"):
            try:
                return body.decode(name, "replace")
            except LookupError:
                continue
    return text


def as_utf8(body: bytes, announced: str = "", charset: str = "greek") -> bytes:
    """As `decode`, in UTF-8; most pages are that already and stay what they are."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return decode(body, announced, charset).encode("utf-8")
    return body.removeprefix(b"\xef\xbb\xbf")


def greek_codec(body: bytes) -> str:
    """iso-8859-7 or windows-1253, for Greek bytes that are not UTF-8."""
    iso, windows = len(_ISO_ALPHA.findall(body)), len(_WINDOWS_ALPHA.findall(body))
    return "iso-8859-7" if iso > windows and not _C1.search(body) else "cp1253"


def clean(text: str) -> str:
    """One line of text as people read it: composed, no invisible characters, single blanks.

    C1 controls come from numeric entities that meant windows-1252 (`&#150;` is a dash).
    """
    if not text.isprintable() and _UNSEEN.search(text):  # rare: looking is cheaper than replacing
        text = _INVISIBLE.sub("", _C1_CONTROLS.sub(_from_c1, text))
    return collapse_spaces(unicodedata.normalize("NFC", text))


def _from_c1(found: re.Match[str]) -> str:
    return found[0].encode("latin-1").decode("cp1252", "ignore")
