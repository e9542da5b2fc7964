"""Text is data: no text of a page, a pair or a person ever becomes a control token.

A tokenizer reads `</s>` or `<|im_end|>` wherever they stand, also in a page about tokenizers, and
the model would see its answer end there, or a system speak. So what a chat template writes and
what it is given are told apart: marks in given text are guarded before the template runs; after
it, the template's own marks are replaced by aliases that nobody can guess, and the text is encoded
by a copy of the tokenizer that knows the marks by these aliases alone. All else is the same, so
text without a mark gets the tokens that it always got.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from weakref import WeakKeyDictionary

# Stands before a mark that is text: letters and digits, which no template alters.
_GUARD = f"kk{secrets.token_hex(8)}"
_ALIAS = f"\U0010fffd{secrets.token_hex(8)}"
# An added token that no author marked as special is a mark all the same if it stands in brackets;
# others are words and blanks that somebody added to the vocabulary.
_BRACKETED = re.compile(r"[<\[{(|｜].*\w.*[>\]})|｜]", re.DOTALL)


class ControlTokens:
    """The control tokens of one tokenizer.

    Args:
        tokenizer: of transformers, or mlx-lm's wrapper around one.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        added = getattr(tokenizer, "added_tokens_decoder", None) or {}
        ends = set(getattr(tokenizer, "eos_token_ids", None) or ())
        self.spellings = {
            token.content: int(number)
            for number, token in added.items()
            if number in ends or token.special or _BRACKETED.fullmatch(token.content)
            if token.content.strip(" \t\r\n▁")
        }
        self.ids = frozenset(self.spellings.values())
        longest_first = sorted(self.spellings, key=lambda one: (-len(one), one))
        marks = "|".join(map(re.escape, longest_first)) or "(?!)"
        self._begins = re.compile(f"(?={marks})")
        self._marks = re.compile(f"{_GUARD}(.)|({marks})", re.DOTALL)
        self._firsts = frozenset(one[0] for one in self.spellings)
        # Marks that are looked for after normalisation may be spelled in many ways.
        self._any_spelling = any(
            token.normalized for number, token in added.items() if number in self.ids
        )
        # The mark of what is unknown comes out of any strange letter, so its id tells nothing.
        self._unknown = getattr(tokenizer, "unk_token", None) or "\0"
        self._telling = self.ids - {self.spellings.get(self._unknown)}
        self._copy: Any = None

    def spelled_in(self, text: str) -> bool:
        """Whether the tokenizer would read a control token out of this text."""
        if not self.ids or (not self._any_spelling and self._firsts.isdisjoint(text)):
            return False
        return self._unknown in text or not self._telling.isdisjoint(self._plain(text))

    def guard(self, text: str) -> str:
        """The text with its marks guarded, to be given to a chat template and then to `encode`."""
        return self._begins.sub(_GUARD, text)

    def encode(self, rendered: str) -> list[int]:
        """The tokens of what a template has written: its marks are marks, guarded ones are text."""
        if self._copy is None:
            self._copy = _with_aliases(self._tokenizer, self.spellings) or False
        if self._copy is False:
            return self._encode_pieces(rendered)
        text = self._marks.sub(self._alias, rendered)
        return [int(token) for token in self._copy.encode(text, add_special_tokens=False).ids]

    def encode_text(self, text: str) -> list[int]:
        """The tokens of text without a template, with what the tokenizer puts around every text."""
        tokens = [int(token) for token in self._tokenizer.encode(text)]
        if not self.spelled_in(text):
            return tokens
        # Frame and text are told apart by a text that has no mark.
        around, plain = [int(t) for t in self._tokenizer.encode("α")], self._plain("α")
        first = next(i for i in range(len(around)) if around[i : i + len(plain)] == plain)
        inner = self.encode(self.guard(text))
        return [*around[:first], *inner, *around[first + len(plain) :]]

    def _alias(self, found: re.Match[str]) -> str:
        return found[1] or alias(self.spellings[found[2]])

    def _encode_pieces(self, rendered: str) -> list[int]:
        """For a tokenizer that cannot be copied: a mark that is text is cut in two."""
        tokens: list[int] = []
        done = 0
        for found in self._marks.finditer(rendered):
            text = rendered[done : found.start()] + (found[1] or "")
            tokens += self._plain(text) if text else []
            tokens += [self.spellings[found[2]]] if found[2] else []
            done = found.end()
        return tokens + (self._plain(rendered[done:]) if rendered[done:] else [])

    def _plain(self, text: str) -> list[int]:
        return [int(token) for token in self._tokenizer.encode(text, add_special_tokens=False)]


def alias(token: int) -> str:
    """What a control token is called in the copy."""
    return f"{_ALIAS}{token}\U0010fffd"


def _with_aliases(tokenizer: Any, spellings: dict[str, int]) -> Any:
    """A copy that knows the control tokens by their aliases; None where there is no fast one."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not hasattr(backend, "to_str"):
        return None
    from tokenizers import Tokenizer

    raw = json.loads(backend.to_str())
    named = {spelling: alias(number) for spelling, number in spellings.items()}
    for token in raw["added_tokens"]:
        if token["content"] in named:
            token["content"], token["normalized"] = named[token["content"]], False
            token["single_word"] = False
    raw["post_processor"] = raw["truncation"] = raw["padding"] = None
    _rename(raw["model"], named)
    copy = Tokenizer.from_str(json.dumps(raw))
    if any(copy.token_to_id(named[spelling]) != number for spelling, number in spellings.items()):
        return None
    return copy


def _rename(model: dict[str, Any], named: dict[str, str]) -> None:
    """The model's own vocabulary holds the marks too, and some models look whole words up in it."""
    vocab = model["vocab"]
    if isinstance(vocab, list):  # unigram: pieces with their scores
        model["vocab"] = [[named.get(piece, piece), score] for piece, score in vocab]
        return
    model["vocab"] = known = {named.get(piece, piece): number for piece, number in vocab.items()}
    if model.get("unk_token") in named:
        model["unk_token"] = named[model["unk_token"]]
    if "merges" in model:
        pairs = [one.split(" ") if isinstance(one, str) else one for one in model["merges"]]
        model["merges"] = [
            [left, right]
            for left, right in pairs
            if left in known and right in known and left + right in known
        ]


_KNOWN: WeakKeyDictionary[Any, ControlTokens] = WeakKeyDictionary()


def of(tokenizer: Any) -> ControlTokens:
    """The control tokens of a tokenizer; they are looked up once."""
    found = _KNOWN.get(tokenizer)
    if found is None:
        found = _KNOWN[tokenizer] = ControlTokens(tokenizer)
    return found
