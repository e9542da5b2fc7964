"""Items from an archive's dataset, and a file's items sorted by what a scorer has seen of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from exchange.corpus import SpoolCorpus
from exchange.errors import UserError
from trainer.dataset import read_split
from trainer.dataset.build import FOLDER
from trainer.scorer import synthetic
from trainer.scorer.folder import About
from trainer.scorer.items import Item, Scale
from trainer.scorer.split import Split


def from_pairs(archive_dir: Path, language: str, seed: int) -> list[Item]:
    """Scored answers made from the pairs that an archive teaches.

    Only those of `train`: what tests the tuned model stays unseen by what may judge it.

    Raises:
        UserError: no dataset, or its pairs hold too few facts to spoil.
    """
    with SpoolCorpus(archive_dir) as corpus:
        chunks = {chunk.id: chunk.text for chunk in corpus.chunks()}
    made = synthetic.items(read_split(archive_dir / FOLDER, "train"), chunks, language, seed)
    if not made:
        raise UserError(
            "no scored answers could be made of these pairs: they hold too few numbers, dates and "
            "names for every level; generate more pairs first"
        )
    return made


def against(items: Sequence[Item], taught: Split, about: About) -> tuple[Split, int]:
    """A file's items as tests of a scorer, and how many it was taught.

    Scales are those it was taught, where the maximum is.
    """
    known = {(item.group, item.answer) for item in [*taught.train, *taught.valid]}
    groups = {group for group, _ in known}
    answers: list[Item] = []
    questions: list[Item] = []
    for item in items:
        if (item.group, item.answer) in known:
            continue
        top = about.scales.get(f"{item.scale.maximum:g}")
        on_scale = replace(item, scale=Scale(item.scale.maximum, top)) if top else item
        (answers if item.group in groups else questions).append(on_scale)
    if not answers and not questions:
        raise UserError("all rows of these files were taught to this scorer: nothing to test on")
    return (
        Split(taught.train, taught.valid, answers, questions),
        len(items) - len(answers) - len(questions),
    )
