"""What is asked: rows of the test splits with their gold chunks, their wrong neighbours, and kin.

`gather` reads them, `distractors` finds three wrong completions for each, `absent` coins questions
that the archive cannot answer, `disturbed` writes questions as hurried people do.
"""

from __future__ import annotations

from trainer.evaluate.items.build import BuiltItems, build_items

__all__ = ["BuiltItems", "build_items"]
