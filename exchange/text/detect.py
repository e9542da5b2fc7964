"""Which language a newspaper is written in: its pages' own word, their script, then a detector.

Pages say it in `<html lang>`, and are believed unless their letters say otherwise, or the template
was left at its default, English. Where one script has one language the letters decide alone. What
is left is for py3langid (97 languages); it takes half a second and 120 MB, so it comes last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from exchange.text.fold import words
from exchange.text.language import load_language
from exchange.text.scripts import main_script

_BY_SCRIPT = {
    "GREEK": "el",
    "HIRAGANA": "ja",
    "CJK": "zh",
    "HANGUL": "ko",
    "THAI": "th",
    "HEBREW": "he",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "SINHALA": "si",
    "KHMER": "km",
    "LAO": "lo",
    "MYANMAR": "my",
    "ETHIOPIC": "am",
}
# Scripts of several languages: the tags that are believed of pages in them.
_SEVERAL = {
    "CYRILLIC": frozenset(("ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "mn", "tg", "tt")),
    "ARABIC": frozenset(("ar", "fa", "ur", "ps", "ku", "ckb", "ug", "sd")),
    "DEVANAGARI": frozenset(("hi", "mr", "ne", "sa")),
}
_NOT_LATIN = frozenset(_BY_SCRIPT.values()) | {"ru", "uk", "bg", "be", "ar", "fa", "ur", "hi", "mr"}
# What people write for a language, and what is meant.
_MEANT = {"gr": "el", "jp": "ja", "cn": "zh", "cz": "cs", "dk": "da", "se": "sv", "ua": "uk"}
_MEANT |= {"nb": "no", "nn": "no", "iw": "he", "kr": "ko", "in": "id", "cmn": "zh", "yue": "zh"}
ENGLISH_SHARE = 0.12  # of the words; in an English text a quarter are such small ones
_PER_TEXT, _MOST = 800, 12_000  # characters that are looked at
_LEAST = 40  # letters; a detector guesses at fewer


def language_code(tag: str) -> str:
    """The language of a tag as pages write it ("en-US", "zh_Hant"); "" for none."""
    code = tag.strip().lower().replace("_", "-").partition("-")[0]
    code = _MEANT.get(code, code)
    return code if 2 <= len(code) <= 3 and code.isascii() and code.isalpha() else ""


def detect_language(texts: Sequence[str], tags: Iterable[str] = ()) -> str:
    """The language that most of the texts are in, as ISO 639; "" when nothing tells it.

    Args:
        tags: what the pages themselves say, one each.
    """
    sample = "\n".join(text[:_PER_TEXT] for text in texts)[:_MOST]
    declared = Counter(code for tag in tags if (code := language_code(tag)))
    tag = declared.most_common(1)[0][0] if declared else ""
    script = main_script(sample)
    if not script:
        return tag
    if script in _BY_SCRIPT:
        return _BY_SCRIPT[script]
    fits = tag in _SEVERAL[script] if script in _SEVERAL else tag not in _NOT_LATIN
    if tag and fits and (tag != "en" or _reads_english(sample)):
        return tag
    if not tag and _reads_english(sample):
        return "en"
    if sum(map(str.isalpha, sample)) < _LEAST:
        return tag
    import py3langid

    return language_code(py3langid.classify(sample)[0])


def _reads_english(sample: str) -> bool:
    found = words(sample)
    small = load_language("en").words("question_stop_words")
    return bool(found) and sum(word in small for word in found) >= ENGLISH_SHARE * len(found)
