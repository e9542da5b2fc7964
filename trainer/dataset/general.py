"""`test_general`: 200 general prompts of ours, with answers, that no newspaper is needed for.

What a model could do before tuning and cannot do after is forgotten; these rows show it.
"""

from __future__ import annotations

from importlib.resources import files

from exchange.records import digest
from trainer.dataset.rows import Row


def rows(language: str, system: str) -> list[Row]:
    """The rows of a language, in the file's order; none where we have no prompts in it."""
    path = files("trainer.dataset") / f"general_{language}.tsv"
    if not path.is_file():
        return []
    found = []
    for line in path.read_text("utf-8").splitlines():
        kind, question, answer = line.split("\t")
        name = digest("general", question)
        found.append(
            Row(
                id=name,
                question=question,
                answer=answer,
                kind=f"general.{kind}",
                story="",
                cluster="",
                system=system,
            )
        )
    return found
