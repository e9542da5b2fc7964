"""What is asked: rows of the test splits with their gold chunks, and three wrong answers for each.

Beside them stand questions that the archive cannot answer, made by coining a name, and questions
as they are typed in a hurry. `build` reads and makes them, `distractors` holds the rules.
"""

from __future__ import annotations

from trainer.evaluate.items.build import BuiltItems, build_items

__all__ = ["BuiltItems", "build_items"]
