"""A sentence or two for the student, written by the language model and kept only if it is grounded.

The scorer never writes; this does, on request. What the model says is held against question,
guide and answer as a pair is held against its chunk: whole sentences of the same script, no
number, name or thought that stands in none of the three. What fails is not shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from exchange.recipes import prompts
from exchange.text.fold import collapse_spaces, fold, words
from exchange.text.language import compile_phrases, every
from exchange.text.scripts import FULL_STOPS, main_script
from exchange.text.similarity import question_signature
from exchange.text.stems import STEM
from trainer.evaluate.systems.client import ModelOutput
from trainer.evaluate.systems.local import LocalModel, LocalWeights
from trainer.scorer.explain import ScoreContext, content_words, numbers_in
from trainer.scorer.items import ScoreItem
from trainer.scorer.scoring import ScoreResult

MAX_TOKENS = 120
LONGEST = 80  # words; two sentences have half of it
WIDTH = 8  # answers written at once
GROUNDED = 0.4  # share of its words that stand in the three texts, as of a pair (workers/checks)
_PLACEHOLDERS = frozenset({"question", "guide", "answer", "score", "met", "missed"})
_META = compile_phrases(every().pattern("meta_references"))


def objection(text: str, item: ScoreItem, found: ScoreResult) -> str:
    """Why a text is no feedback on this answer, as a reason code; "" when it may be shown.

    Codes: `empty`, `unfinished`, `too_long`, `other_script`, `meta`, `number`, `name`,
    `ungrounded`.
    """
    source = f"{item.question}\n{item.guide}\n{item.answer}"
    if not text:
        return "empty"
    if not text.endswith(FULL_STOPS):
        return "unfinished"
    if len(words(text)) > LONGEST:
        return "too_long"
    if main_script(text) != main_script(f"{item.question}\n{item.guide}"):
        return "other_script"
    if _META.search(f" {fold(text)}"):
        return "meta"
    marks = {f"{found.score:g}", f"{found.maximum:g}"}
    if numbers_in(text) - numbers_in(source) - marks:
        return "number"
    known = content_words(source)
    names = {name[:STEM] for name in question_signature(text).names}
    if any(name not in known for name in names if name.isalpha()):
        return "name"
    said = content_words(text)
    return "ungrounded" if len(said & known) < GROUNDED * len(said) else ""


@dataclass(slots=True)
class FeedbackWriter:
    """The language model, loaded at the first answer; use it as a context.

    Args:
        base: the folder of a model that follows instructions.
        data: where the lock of the GPU is.
    """

    base: Path
    data: Path
    note: Callable[[str], None] = lambda text: None
    refused: Counter[str] = field(default_factory=Counter)  # by reason code
    _held: ExitStack = field(default_factory=ExitStack)
    _model: LocalModel | None = None

    def __enter__(self) -> Self:
        weights = LocalWeights(self.base, None, self.data, WIDTH, self.note)
        self._model = LocalModel(
            self._held.enter_context(weights), tuned=False, model_sha="", adapter_sha=""
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def __call__(
        self,
        items: Sequence[ScoreItem],
        found: Sequence[ScoreResult],
        contexts: Sequence[ScoreContext],
    ) -> list[str]:
        """A text for each answer, "" where what the model wrote may not be shown."""
        assert self._model is not None
        asked = [
            [{"role": "user", "content": feedback_prompt(*one)}]
            for one in zip(items, found, contexts, strict=True)
        ]
        written = [""] * len(asked)

        def ended(number: int, said: ModelOutput) -> None:
            text = "" if said.error else collapse_spaces(said.text.replace("\n", " "))
            why = objection(text, items[number], found[number])
            self.refused.update([why] if why else [])
            written[number] = "" if why else text

        self._model.answer(asked, MAX_TOKENS, ended, lambda: False)
        return written


def feedback_prompt(item: ScoreItem, found: ScoreResult, context: ScoreContext) -> str:
    """What the model is asked; each part on one line, so that no answer passes for another part."""
    template = prompts.template_in_language("feedback", item.language, _PLACEHOLDERS)
    values = {
        "question": item.question,
        "guide": item.guide,
        "answer": item.answer,
        "score": f"{found.score:g} / {found.maximum:g}",
        "met": " ".join(context.met) or "-",
        "missed": " ".join(context.missed) or "-",
    }
    return template.fill({name: " ".join(value.split()) for name, value in values.items()})
