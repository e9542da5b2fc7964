"""Rows that are taught with their text before the question, so that reading is not unlearned.

Closed book alone, a model unlearns to read what it is shown; and beside the true text as well, for
it knows the answer by then and need not look. So what the answer takes from the text (a number, a
name, a date) is another one in both, drawn anew for every epoch: only who reads it can answer.
Substitution as in Longpre et al. 2021 ("Entity-Based Knowledge Conflicts in Question Answering",
arXiv 2109.05052) and DisentQA (Neeman et al. 2022, arXiv 2211.05655), in what is taught; rows under
their text as in RAFT (Zhang et al. 2024, arXiv 2403.10131), with the answer's own text and no
others.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from exchange.errors import NotEnoughData
from exchange.inference.engine import Message
from exchange.project import Project
from exchange.recipes.prompts import PromptTemplate, load_template, template_in_language
from exchange.records import Chunk, digest
from exchange.text.fold import fold
from trainer import tokenization
from trainer.dataset import DatasetRow
from trainer.tokenization import PASSAGE_PLACEHOLDERS, TokenizedSample
from trainer.training.settings import TrainSettings

Passage = tuple[str, str]  # the line above it, and its text
TEXTS = 20_000  # whose values are known, at most: a large archive has no more kinds than that
ENOUGH = 4  # values of a kind; with no more, a wider kind is looked at
TRIES = 20  # values that may stand in the text already
_MARKS = frozenset(".,;:!?·…»”\"')")
_WORD = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+(?:['’-][^\W\d_]+)*")


def passage_template(
    project: Project, archive: str | None, settings: TrainSettings
) -> PromptTemplate | None:
    """How a chunk stands before a question; None where none does."""
    if settings.recipe != "distil" and not settings.open_book:
        return None
    if settings.passage_prompt:
        return load_template(settings.passage_prompt, PASSAGE_PLACEHOLDERS)
    return template_in_language("rag", project.language(archive), PASSAGE_PLACEHOLDERS)


@dataclass(frozen=True, slots=True)
class OpenBookRow:
    """A row that is taught with its text before the question."""

    id: str
    messages: list[Message]

    def turns(self) -> list[Message]:
        return self.messages


class OpenBook:
    """The share of the rows that is taught so as well: by the seed, the same in every epoch."""

    def __init__(
        self,
        rows: Sequence[DatasetRow],
        chunks: Mapping[str, Chunk],
        template: PromptTemplate,
        settings: TrainSettings,
    ) -> None:
        """Choose them.

        Raises:
            NotEnoughData: no row has its chunk.
        """
        found = [(row, passages) for row in rows if (passages := passages_of(row, chunks))]
        if not found:
            raise NotEnoughData(
                "[train] open_book wants the text that the pairs were made from, and no row of the "
                "dataset has it: run `kkoracle dataset build` again, or set it to 0"
            )
        found.sort(key=lambda one: digest(f"{settings.seed}:{one[0].id}:open"))
        self._rows = found[: max(1, round(settings.open_book * len(found)))]
        self._template, self._seed = template, settings.seed
        texts = (text for row, shown in found for text in (row.answer, *(p[1] for p in shown)))
        self._values = ValuePool(islice(texts, TEXTS))

    def rows(self, epoch: int) -> list[OpenBookRow]:
        """They as an epoch shows them, in the same order in each."""
        return [self._row(row, passages, epoch) for row, passages in self._rows]

    def encoded(
        self, tokenizer: Any, first: Sequence[TokenizedSample], longest: int, epoch: int
    ) -> list[TokenizedSample]:
        """The rows of an epoch in tokens.

        Args:
            first: those of epoch 0 that are taught; one that would now be longer than `longest`
                stays as it was there.
        """
        rows = {row.id: row for row in self.rows(epoch)}
        again = (
            tokenization.tokenize_sample(tokenizer, one.id, rows[one.id].turns()) for one in first
        )
        return [
            now if len(now.tokens) <= longest else one
            for one, now in zip(first, again, strict=True)
        ]

    def _row(self, row: DatasetRow, passages: list[Passage], epoch: int) -> OpenBookRow:
        name = f"{row.id}:open"
        drawn = random.Random(f"{self._seed}:{epoch}:{name}")
        swap = self._values.substitution(row, passages, drawn)
        shown = [(swap(head), swap(text)) for head, text in passages]
        asked = tokenization.passage_messages(self._template, row.question, shown, row.system)
        return OpenBookRow(name, [*asked, {"role": "assistant", "content": swap(row.answer)}])


def passages_of(row: DatasetRow, chunks: Mapping[str, Chunk]) -> list[Passage]:
    """The row's chunks; none where they are no help to it.

    Out of the chunk the base would say something else where the answer is none of its facts.
    """
    if not row.is_fact:
        return []
    return [(found.header, found.text) for name in row.chunks if (found := chunks.get(name))]


@dataclass(frozen=True, slots=True)
class _Value:
    """A number, or words with capitals in a row, as it stands in a text."""

    text: str
    kinds: tuple[tuple[str, ...], ...]  # the narrowest first; one of them can stand for another


class Substitution:
    """Other values in the places of some."""

    def __init__(self, others: Mapping[str, str]) -> None:
        self._others, self._places = others, _places(others)

    def __call__(self, text: str) -> str:
        """The text with them."""
        return self._places.sub(lambda match: self._others[match[0]], text)


def _places(values: Iterable[str]) -> re.Pattern[str]:
    """Where any of them stands, and not as a part of a longer number or word."""
    either = "|".join(
        re.escape(value) + (r"(?!\d)" if value[-1].isdigit() else r"(?!\w)")
        for value in sorted(values, key=len, reverse=True)
    )
    return re.compile(rf"(?<!\w)(?<!\d[.,:/-])(?:{either or '(?!)'})(?![.,:/-]\d)")


class ValuePool:
    """The values of texts by their kinds. Knows no language: only digits, capitals and neighbours.

    Names are of one kind where as many words stand behind the same word: behind one article they
    are of one gender and case. Numbers are of one kind where digits and marks are set alike and
    what stands behind is of one sort, so a day of a month makes way for a day. Of a kind with few
    values those of the next wider one are taken.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        distinct = list(dict.fromkeys(texts))
        # What is written small somewhere has its capital from the beginning of a sentence.
        self._small = {
            word for text in distinct for word in _WORD.findall(text) if word[0].islower()
        }
        found: dict[tuple[str, ...], dict[str, None]] = {}
        for text in distinct:
            for value in self._values(text):
                for kind in value.kinds:
                    found.setdefault(kind, {})[value.text] = None
        self._of_kind = {kind: sorted(values) for kind, values in found.items()}

    def substitution(
        self, row: DatasetRow, passages: Sequence[Passage], drawn: random.Random
    ) -> Substitution:
        """Others for what the answer takes from the passages and the question does not say."""
        shown = "\n".join(text for passage in passages for text in passage)
        said = f"{shown}\n{row.question}"
        asked = set(_WORD.findall(row.question))
        others: dict[str, str] = {}
        for value in self._values(row.answer):
            known = not asked.isdisjoint(_WORD.findall(value.text))
            if known or not _places([value.text]).search(shown):
                continue
            if other := self._other(value, said, drawn):
                others[value.text] = other
        return Substitution(others)

    def _other(self, value: _Value, said: str, drawn: random.Random) -> str:
        """One that neither passages nor question have; "" where none is found."""
        for kind in value.kinds:
            known = self._of_kind.get(kind, ())
            if len(known) > ENOUGH:
                for other in drawn.sample(known, min(TRIES, len(known))):
                    if other not in said:
                        return other
        if value.text[0].isdigit():
            return re.sub(r"\d", lambda _: drawn.choice("123456789"), value.text)
        return ""

    def _values(self, text: str) -> Iterator[_Value]:
        words = list(_WORD.finditer(text))
        at = 0
        while at < len(words):
            end = at + 1
            first, before = words[at][0], words[at - 1][0] if at else ""
            if first[0].isdigit():
                shape = re.sub(r"\d", "0", first)
                yield _Value(first, ((shape, _sort(text[words[at].end() :])), (shape,)))
            elif self._is_name(first):
                while (
                    end < len(words)
                    and self._is_name(words[end][0])
                    and text[words[end - 1].end() : words[end].start()].isspace()
                ):
                    end += 1
                name = text[words[at].start() : words[end - 1].end()]
                before = "0" if before[:1].isdigit() else fold(before)
                yield _Value(name, ((str(end - at), before), (str(end - at),)))
            at = end

    def _is_name(self, word: str) -> bool:
        return word[0].isupper() and word[0].lower() + word[1:] not in self._small


def _sort(behind: str) -> str:
    """What stands behind a number: an ending, a word, a name, a number, a sign, or nothing."""
    first = behind.lstrip()[:1]
    if first.isalpha():
        return "A" if first.isupper() else "a" if behind[0].isspace() else "-"
    return "0" if first.isdigit() else "" if first in _MARKS else first
