"""Attribution: what somebody demands or maintains is not told as if it were so."""

from __future__ import annotations

import re
from functools import lru_cache

from exchange.text.tokens import TokenizedPair, TokenizedText
from workers.checks.context import CheckContext

# Verbs of wanting and maintaining, folded beginnings. Plain telling («είπε», «ανακοίνωσε») is not
# among them: a newspaper has most of its facts from somebody.
_CLAIMS = re.compile(
    r"(ζητα|ζητει|ζητησ|ζητουν|ζητουσ|απαιτ|αξιων|διεκδικ|υποστηρι|ισχυρι|προτειν"
    r"|επιδιωκ|πιεζ|πρεσβευ|φερετ|φεροντ|καταγγελ|κατηγγειλ|κατηγορ|διατεινετ|διατεινοντ|προσδοκ|θεωρ(ει|ουν|ησ)"
    r"|εκτιμα$|εκτιμουν|αιτημα|demand|claim|alleg|propos|urg(e|ed|es)$|argu)"
)
_ATTRIBUTES = re.compile(
    r"(συμφωνα|αποψ|θεσ(η|εισ|εων)$|γνωμ|αιτημ|ζητ|απαιτ|αξιωσ|αξιων|διεκδικ|υποστηρ|ισχυρ|προτ(ειν"
    r"|ασ|αθ)|επιδιω|πιεζ|πιεσ|φερετ|φεροντ|καταγγελ|κατηγγειλ|κατηγορ|διατειν|λεει$|λενε$|ειπ(ε|αν)$|δηλω|τονι|θεωρ|εκτιμ"
    r"|θελ(ει|ουν)$|ηθελ|πιστευ|σημειω|επισημα|ανακοινωσ|καλεσ|καλει$|καλουν$|χαρακτηρι|αποκαλ|προσδοκ"
    r"|στοχο|υποσχ|προειδοπ|αρν|διαψευ|απαντ|according|demand|claim|alleg|propos|argu|said$|says$"
    r"|want|urg|stat(e|ed|es)$|accus|view$|opinion)"
)
_AFTER = re.compile(  # «κατά τον Νίκο», but neither «κατά 40 %» nor «κατά τον Μάρτη»
    r"\bκατα (τον|την|τη|το|τουσ|τισ) (?!\d|γεν|ιαν|φεβ|φλεβ|μαρτ|απρ|μαη|μαι|ιου|αυγ|σεπ|οκτ|οχτ"
    r"|νοε|δεκ|διαρκεια|περιοδο|ετοσ)"
)
_SHARE = 0.6  # of the answer's own stems that stand behind the verb


@lru_cache(maxsize=1 << 16)
def _is_claim(folded: str) -> bool:
    return _CLAIMS.match(folded) is not None


@lru_cache(maxsize=1 << 16)
def _is_attribution(folded: str) -> bool:
    return _ATTRIBUTES.match(folded) is not None


def attributed(claim: TokenizedPair, context: CheckContext) -> str:
    """What stands behind «ζητά», «ισχυρίζεται» is said with its speaker, or not at all."""
    if _names_speaker(claim.question) or _names_speaker(claim.answer):
        return ""
    said = claim.answer.stems - claim.question.stems or claim.answer.stems
    if not said:
        return ""
    home = max(
        context.sentences,
        key=lambda sentence: (
            len(said & sentence.stems),
            len(claim.question.stems & sentence.stems),
        ),
        default=None,
    )
    if home is None:
        return ""
    held = said & home.stems
    behind = _behind(home)
    if held and len(held & behind) / len(held) >= _SHARE:
        return "unattributed-claim"
    return ""


def _behind(sentence: TokenizedText) -> frozenset[str]:
    """The stems that follow the sentence's first verb of claiming; none without such a verb."""
    for index, word in enumerate(sentence.words):
        if not word.digits and _is_claim(word.folded):
            return frozenset(w.stem for w in sentence.words[index + 1 :] if w.stem)
    return frozenset()


def _names_speaker(reading: TokenizedText) -> bool:
    if any(_is_attribution(word.folded) for word in reading.words if not word.digits):
        return True
    return _AFTER.search(reading.line) is not None
