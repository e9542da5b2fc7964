"""How an answer is put before the model: versioned files, one a language and style.

`full` says what is wanted, for models that were never taught to score; `brief` only names the
parts, which is enough for a tuned one and a third shorter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources

from exchange.errors import UsageError
from trainer.scorer.items import ScoreItem

FALLBACK = "en"  # for a language without prompts of its own
_FIELD = re.compile(r"\{(question|guide|answer|top)\}")


@dataclass(frozen=True, slots=True)
class ScorePrompt:
    """One style in all its languages."""

    style: str
    texts: dict[str, str]  # by language

    @property
    def sha(self) -> str:
        """12 hex over all texts: a scorer is only asked as it was taught."""
        said = "\0".join(f"{name}\0{text}" for name, text in sorted(self.texts.items()))
        return sha256(said.encode()).hexdigest()[:12]

    def fill(self, item: ScoreItem) -> str:
        """The text that ends just before the label.

        Each part becomes one line, so that no answer can pass for the next part. One pass, so
        that an answer with "{guide}" in it is not filled in turn.
        """
        parts = {
            "question": item.question,
            "guide": item.guide,
            "answer": item.answer,
            "top": str(item.scale.top),
        }
        text = self.texts.get(item.language, self.texts[FALLBACK])
        return _FIELD.sub(lambda match: " ".join(parts[match[1]].split()), text)


def load_score_prompt(style: str) -> ScorePrompt:
    """A style by name.

    Raises:
        UsageError: there is none of this name.
    """
    recipes = resources.files("exchange.recipes")
    texts = {
        folder.name: folder.joinpath(f"scoring-{style}.txt").read_text("utf-8")
        for folder in recipes.iterdir()
        if folder.joinpath(f"scoring-{style}.txt").is_file()
    }
    if FALLBACK not in texts:
        names = sorted(file.name for file in recipes.joinpath(FALLBACK).iterdir())
        known = [name[8:-4] for name in names if name.startswith("scoring-")]
        raise UsageError(f"[score] prompt = {style!r}: known are {', '.join(known)}")
    return ScorePrompt(style, texts)
