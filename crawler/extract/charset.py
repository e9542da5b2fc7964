"""Bytes to text: as a page announces, if that decodes; old Greek pages are judged by their bytes.

Old Greek pages announce a Latin charset often enough not to be believed. Source of that rule: seven
made and stored pages, of which it reads seven right.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Protocol

from exchange.text.charset_labels import ANNOUNCED, GREEK, codec_of
from exchange.text.controls import printable
from exchange.text.fold import collapse_spaces

if TYPE_CHECKING:
    from crawler.profile import Profile

# In windows-1253 Ά is 0xA2, in iso-8859-7 it is 0xB6; nothing else common differs.
_LOWER = rb"[\xdc-\xfe]"
_ISO_ALPHA = re.compile(rb"\xb6(?=" + _LOWER + rb")")
_WINDOWS_ALPHA = re.compile(rb"\xa2(?=" + _LOWER + rb")")
_C1 = re.compile(rb"[\x80-\x9f]")
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)""", re.I)
# What is never closed goes to the end, as in browsers; else each "<" would look for its end again.
_MARKUP = re.compile(
    rb"<(?:script|style)\b.*?(?:</(?:script|style)|\Z)|<[^>]*(?:>|\Z)|&[#\w]{1,40};", re.I | re.S
)
_ASCII = re.compile(rb"[A-Za-z]")
_HIGH = re.compile(rb"[\xaa-\xff]")
_ESCAPED = re.compile(rb"\x1b[$(]")  # ISO-2022-JP, which is ASCII to everybody else
NEVER_LATIN = 0.3  # of the letters of a page beyond ASCII: French and Vietnamese stay below
_ACCENTED = re.compile(rb"[\xdc-\xdf\xfc-\xfe]")  # ά έ ή ί ό ύ ώ; in Russian Ь Э Ю Я ь э ю
ACCENTS = 0.04  # of the letters: in Greek one in ten
SAMPLE = 1 << 18  # bytes that tell a page's alphabet
_LATIN = re.compile(r"cp125[0247]|iso8859-(?:[12349]|1[03456])|mac_roman|utf-8")
_C1_CONTROLS = re.compile("[\x80-\x9f]")
_HIGH_BYTES = bytes(range(128, 256))
GOOD_PER_BAD = 20  # UTF-8 with a few broken bytes is still UTF-8


def decode(body: bytes, announced: str = "", charset: str = ANNOUNCED, language: str = "") -> str:
    """Decode a page.

    Args:
        announced: what the server's header said.
        charset: a profile's: "announced"; "greek" for Greek pages whatever they announce; or a
            label, for pages that announce nothing that decodes.
        language: of the newspaper, ISO 639; "" if unknown.
    """
    for mark, codec in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if body.startswith(mark):
            return body.decode(codec, "replace")
    meta = _META.search(body[:4096])
    labels = [announced, meta[1].decode("ascii") if meta else ""]
    names = [name for label in labels if (name := codec_of(label))]
    wide = next((name for name in names if name.startswith(("utf-16", "iso2022"))), "")
    if wide and (_ESCAPED.search(body) if wide.startswith("iso") else b"\0" in body[:64]):
        return body.decode(wide, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    text = body.decode("utf-8", "replace")
    if len(_MULTIBYTE.findall(body)) >= GOOD_PER_BAD * text.count("\ufffd"):
        return text
    fallback = codec_of(charset) if charset not in (ANNOUNCED, GREEK) else ""
    if charset == GREEK or (not fallback and _is_greek(body, names, language)):
        return body.decode(greek_codec(body), "replace")
    for name in filter(None, [*names, fallback]):
        if name != "utf-8" and (text := _read(body, name)):
            return text
    return _guess(body, language)


def as_utf8(
    body: bytes, announced: str = "", charset: str = ANNOUNCED, language: str = ""
) -> bytes:
    """As `decode`, in UTF-8; most pages are that already and stay what they are."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return decode(body, announced, charset, language).encode("utf-8")
    if (b"\x1b" in body and _ESCAPED.search(body)) or body.count(b"\0", 0, 64) > 16:
        return decode(body, announced, charset, language).encode("utf-8")
    return body.removeprefix(b"\xef\xbb\xbf")


class ReceivedPage(Protocol):
    """A page as it was sent, with the charset that was announced for it."""

    @property
    def body(self) -> bytes: ...

    @property
    def charset(self) -> str: ...


def markup_of(page: ReceivedPage, profile: Profile) -> bytes:
    """A page's markup in UTF-8, read as its newspaper's profile says."""
    return as_utf8(page.body, page.charset, profile.charset, profile.language)


def _is_greek(body: bytes, names: list[str], language: str) -> bool:
    """Is a page's own word not to be had or not to be believed, and are its letters Greek?

    A page in Greek announces Latin where nobody set the charset right; no Latin alphabet has so
    many letters beyond ASCII. Which of the two Greek charsets it is, the bytes tell better.
    """
    if any(name in ("cp1253", "iso8859-7") for name in names):
        return True
    if names and not _LATIN.fullmatch(names[0]):
        return False
    return language == "el" or (not language and _looks_greek(body))


def _looks_greek(body: bytes) -> bool:
    """Letters beyond ASCII, enough of them with the accents of Greek, and none that it lacks."""
    if _high_share(body) <= NEVER_LATIN or b"\xff" in body:
        return False
    text = _MARKUP.sub(b" ", body[:SAMPLE])
    return len(_ACCENTED.findall(text)) >= ACCENTS * len(_HIGH.findall(text))


def _high_share(body: bytes) -> float:
    """Bytes of letters beyond ASCII, of all letters outside markup."""
    text = _MARKUP.sub(b" ", body[:SAMPLE])
    high = len(_HIGH.findall(text))
    return high / max(1, high + len(_ASCII.findall(text)))


def _read(body: bytes, codec: str) -> str:
    """The text, "" if the bytes are not of this charset; a few broken ones are overlooked."""
    text = body.decode(codec, "replace")
    high = len(body) - len(body.translate(None, _HIGH_BYTES))
    return text if text.count("\ufffd") * GOOD_PER_BAD <= max(high, GOOD_PER_BAD) else ""


def _guess(body: bytes, language: str) -> str:
    """Nothing is announced that decodes: windows-1252 for Latin letters, else what is likeliest."""
    if _high_share(body) <= NEVER_LATIN and language in ("", "en"):
        return body.decode("cp1252", "replace")
    from charset_normalizer import from_bytes

    best = from_bytes(body[:SAMPLE]).best()
    return body.decode(codec_of(best.encoding if best else "") or "cp1252", "replace")


def greek_codec(body: bytes) -> str:
    """iso-8859-7 or windows-1253, for Greek bytes that are not UTF-8."""
    iso, windows = len(_ISO_ALPHA.findall(body)), len(_WINDOWS_ALPHA.findall(body))
    return "iso-8859-7" if iso > windows and not _C1.search(body) else "cp1253"


def codec_by_bytes(body: bytes, charset: str = ANNOUNCED) -> str:
    """The codec of bytes that are not UTF-8 and announce nothing, such as a table's."""
    if charset not in (ANNOUNCED, GREEK):
        return codec_of(charset)
    greek = charset == GREEK or _looks_greek(body)
    return greek_codec(body) if greek else "cp1252"


def clean(text: str) -> str:
    """One line of text as people read it: composed, no invisible characters, single blanks.

    No text reaches the store but through here. C1 controls come from numeric entities that
    meant windows-1252 (`&#150;` is a dash).
    """
    if text.isprintable():  # nearly all: its only white space are blanks
        bare = unicodedata.normalize("NFC", text).strip(" ")
        return " ".join(bare.split()) if "  " in bare else bare
    text = printable(_C1_CONTROLS.sub(_from_c1, text))
    return collapse_spaces(unicodedata.normalize("NFC", text))


def _from_c1(found: re.Match[str]) -> str:
    return found[0].encode("latin-1").decode("cp1252", "ignore")
