"""The sets of questions, in the order in which a reader wants them."""

from __future__ import annotations

from trainer.evaluate.records import Evaluation

MAIN, UNSEEN = "test_recall", "test_unseen"
_ORDER = (MAIN, UNSEEN, "test_general", "absent", "disturbed")


def of(evaluation: Evaluation) -> list[str]:
    """Those that were asked; unknown ones come last."""
    found = {item.split for item in evaluation.items.values()}
    return [name for name in _ORDER if name in found] + sorted(found.difference(_ORDER))


def main(evaluation: Evaluation) -> str:
    """The one that the verdict is about: facts that were taught, asked in other words."""
    return next(iter(of(evaluation)), "")
