"""What the label of a charset means: as the WHATWG's Encoding Standard says, as in browsers.

https://encoding.spec.whatwg.org: `gb2312` is gb18030, `iso-8859-1` is windows-1252.
"""

from __future__ import annotations

import codecs
import re

ANNOUNCED, GREEK = "announced", "greek"  # what a profile's `charset` may say besides a label
# Labels whose meaning differs from Python's, or which Python does not know.
_LABELS = {
    label: codec
    for codec, labels in {
        "cp1252": "ascii us-ascii iso-8859-1 iso8859-1 iso88591 latin1 l1 latin-1",
        "cp1254": "iso-8859-9 iso8859-9 latin5 latin-5 l5",
        "cp874": "iso-8859-11 tis-620 dos-874 windows-874",
        "gb18030": "gb2312 gb-2312-80 gbk x-gbk chinese",
        "cp932": "shift-jis sjis ms-kanji ms932 windows-31j x-sjis csshiftjis",
        "cp949": "euc-kr ksc5601 ks-c-5601-1987 korean windows-949 uhc",
        "big5hkscs": "big5 cn-big5 x-x-big5 csbig5 big5-hkscs",
        "euc_jp": "x-euc-jp eucjp",
        "iso8859-7": "elot-928 sun-eu-greek ecma-118 greek8",
        "iso8859-8": "iso-8859-8-i logical visual",
        "koi8-r": "koi koi8",
        "mac_roman": "macintosh x-mac-roman mac",
        "mac_cyrillic": "x-mac-cyrillic x-mac-ukrainian",
        "utf-8": "utf8 unicode-1-1-utf-8 x-unicode20utf8",
    }.items()
    for label in labels.split()
}
# Python's other codecs are no charsets of pages: idna, punycode, undefined, rot13, unicode_escape.
_CHARSETS = re.compile(
    r"cp(?:125\d|866|874|932|949|950)|iso8859-\d+|koi8-[rtu]|gb18030|big5(?:hkscs)?|euc_(?:jp|kr)|"
    r"iso2022_jp.*|mac[-_]\w+|utf-8|utf-16-[lb]e"
)


def codec_of(label: str) -> str:
    """The codec that a label means, "" if it is none of a page's charsets."""
    name = label.strip().lower().replace("_", "-")
    try:
        found = codecs.lookup(_LABELS.get(name, name)).name if name else ""
    except (LookupError, ValueError):  # ValueError: a name with a NUL
        return ""
    found = {"ascii": "cp1252", "utf-16": "utf-16-le"}.get(found, found)
    return found if _CHARSETS.fullmatch(found) else ""
