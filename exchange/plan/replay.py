"""General questions, answered by the model as it is: what keeps it from forgetting them."""

from __future__ import annotations

from exchange import inputs
from exchange.plan.making import Making
from exchange.records import digest


def plan(making: Making, questions: tuple[str, ...]) -> int:
    """Make tasks for the first of `questions`, up to the share of kept pairs."""
    have = making.count()
    kept = making.counters.get("pairs.accepted", 0) - have  # or they would ask for more of them
    wanted = min(len(questions), int(making.settings.replay * kept))
    made = 0
    for question in questions[have : min(wanted, have + making.limit)]:
        subject = digest(question)
        task = making.task((subject,), (), question)
        made += inputs.add(making.spool, task, subject=subject, story_id="", year=0)
    return made
