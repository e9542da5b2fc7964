"""Which items are taught: two tests, of unseen answers and of unseen questions.

Published scorers fall from .80 to .49 between the two, so neither may stand for the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from pathlib import Path

from exchange.errors import BadFile, NotEnoughData
from exchange.files import write_atomic
from trainer.dataset.split import hash_fraction
from trainer.scorer.folder import ScorerInfo
from trainer.scorer.items import ScoreItem
from trainer.scorer.settings import ScoreSettings

FEWEST = 20  # items; a split of fewer tells nothing
ENOUGH = 5  # questions, for one to be held out


@dataclass(frozen=True, slots=True)
class ScorerSplit:
    """Items by what they are for; no question of `unseen_questions` stands in another part."""

    train: list[ScoreItem]
    valid: list[ScoreItem]
    unseen_answers: list[ScoreItem]
    unseen_questions: list[ScoreItem]

    @property
    def all(self) -> list[ScoreItem]:
        """The items of all parts."""
        return [item for field in fields(self) for item in getattr(self, field.name)]

    @property
    def taught(self) -> list[ScoreItem]:
        """What a scorer knows: the items that it was fitted to, and those it was chosen by."""
        return [*self.train, *self.valid]

    @property
    def tested(self) -> list[ScoreItem]:
        """The others."""
        return [*self.unseen_answers, *self.unseen_questions]

    @property
    def sizes(self) -> dict[str, int]:
        """Items of each part."""
        return {field.name: len(getattr(self, field.name)) for field in fields(self)}

    @property
    def sha(self) -> str:
        """12 hex over all parts, in order."""
        sha = sha256()
        for field in fields(self):
            sha.update(field.name.encode())
            for item in getattr(self, field.name):
                sha.update(item.to_line())
        return sha.hexdigest()[:12]

    def write(self, folder: Path) -> None:
        """One file of lines a part."""
        folder.mkdir(parents=True, exist_ok=True)
        for field in fields(self):
            lines = b"".join(item.to_line() for item in getattr(self, field.name))
            write_atomic(folder / f"{field.name}.jsonl", lines)

    @classmethod
    def read(cls, folder: Path) -> ScorerSplit:
        """What `write` wrote.

        Raises:
            UserError: a part is missing or damaged.
        """
        parts = {}
        for field in fields(cls):
            path = folder / f"{field.name}.jsonl"
            try:
                lines = path.read_bytes().splitlines()
                parts[field.name] = [ScoreItem.from_line(line) for line in lines]
            except (OSError, KeyError, ValueError, TypeError) as error:
                raise BadFile(
                    f"{path} is unusable ({error}): train this scorer again with --restart"
                ) from None
        return cls(**parts)


def split_items(
    items: Sequence[ScoreItem],
    settings: ScoreSettings,
    *,
    valid: Sequence[ScoreItem] = (),
    test: Sequence[ScoreItem] = (),
) -> ScorerSplit:
    """Divide by hashes of names, so that the same items always stand in the same part.

    Parts that others made stay as they are, but for rows that say what is taught: those are left
    out. A tested question that is taught too is one of unseen answers, any other an unseen one.

    With fewer than five questions none is held out: `unseen_questions` is empty then. The same
    answer to the same question twice (of two people, or scored by two) stands in one part,
    however it is typed.

    Args:
        valid, test: official parts, empty where there are none.

    Raises:
        UserError: too few items.
    """
    if test:
        return _official(items, settings, valid, test)
    if valid:
        own = split_items(items, settings)
        held = {item.group for item in own.unseen_questions}
        known = {item.said for item in own.all}
        fresh = [item for item in valid if item.said not in known and item.group not in held]
        return replace(own, train=own.train + own.valid, valid=fresh or own.valid)
    if len(items) < FEWEST:
        raise NotEnoughData(
            f"{len(items)} scored answers are too few to teach and test on: {FEWEST}"
        )
    groups = _hash_order((item.group for item in items), settings)
    held = set(groups[: math.ceil(settings.unseen * len(groups))] if len(groups) >= ENOUGH else [])
    rest = [item for item in items if item.group not in held]
    answers = {item.id: item.said for item in rest}
    order = _hash_order(answers.values(), settings)
    tested = max(1, round(settings.test * len(order)))
    fitted = tested + max(1, round(settings.valid * len(order)))
    part = dict.fromkeys(order[:tested], "test") | dict.fromkeys(order[tested:fitted], "valid")
    by_part: dict[str, list[ScoreItem]] = {"train": [], "valid": [], "test": []}
    for item in rest:
        by_part[part.get(answers[item.id], "train")].append(item)
    if not by_part["train"]:
        raise NotEnoughData("nothing is left to teach: lower [score] unseen, test and valid")
    return ScorerSplit(
        by_part["train"],
        by_part["valid"],
        by_part["test"],
        [item for item in items if item.group in held],
    )


def _hash_order(names: Iterable[str], settings: ScoreSettings) -> list[str]:
    """Each name once, in an order that the key decides and that others do not change."""
    return sorted(set(names), key=lambda name: hash_fraction(name, settings.key))


def _official(
    items: Sequence[ScoreItem],
    settings: ScoreSettings,
    valid: Sequence[ScoreItem],
    test: Sequence[ScoreItem],
) -> ScorerSplit:
    said = _hash_order((item.said for item in items), settings)
    if len(items) < FEWEST:
        raise NotEnoughData(f"{len(items)} scored answers are too few to teach: {FEWEST}")
    fitted = set() if valid else set(said[: max(1, round(settings.valid * len(said)))])
    own_valid = [item for item in valid if item.said not in set(said)]
    own_valid = own_valid or [item for item in items if item.said in fitted]
    left = {item.said for item in own_valid}
    train = [item for item in items if item.said not in left]
    known = {item.said for item in (*train, *own_valid)}
    groups = {item.group for item in (*train, *own_valid)}
    fresh = [item for item in test if item.said not in known]
    return ScorerSplit(
        train,
        own_valid,
        [item for item in fresh if item.group in groups],
        [item for item in fresh if item.group not in groups],
    )


def held_out_of_file(
    items: Sequence[ScoreItem], taught: ScorerSplit, about: ScorerInfo
) -> tuple[ScorerSplit, int]:
    """A file's items as tests of a scorer, and how many it was taught.

    Scales are those it was taught, where the maximum is.
    """
    known = {item.said for item in taught.taught}
    groups = {item.group for item in taught.taught}
    answers: list[ScoreItem] = []
    questions: list[ScoreItem] = []
    for item in items:
        if item.said in known:
            continue
        (answers if item.group in groups else questions).append(about.on_scale(item))
    if not answers and not questions:
        raise NotEnoughData(
            "all rows of these files were taught to this scorer: nothing to test on"
        )
    return (
        ScorerSplit(taught.train, taught.valid, answers, questions),
        len(items) - len(answers) - len(questions),
    )


def by_question(parts: ScorerSplit, settings: ScoreSettings) -> ScorerSplit:
    """The taught rows with whole questions to validate on, where there are enough of them.

    One fold of the cross-validation that the regressions have all of: tuning ten times is too dear.
    """
    groups = _hash_order((item.group for item in parts.taught), settings)
    if len(groups) < 2 * ENOUGH:
        return parts
    held = set(groups[: max(2, round(settings.valid * len(groups)))])
    return replace(
        parts,
        train=[item for item in parts.taught if item.group not in held],
        valid=[item for item in parts.taught if item.group in held],
    )
