"""A model that compares two answers, and how far it may be believed.

It is shown the gold chunk, asked in both orders, and says one letter, whose probability is read
from its logits (`letter_judge`). Before any figure of it is shown it must find faults that were
planted in right answers (`audit`). A human sample, if there is one, corrects what it says
(`pairwise`).
"""

from __future__ import annotations

from trainer.evaluate.judge.audit import audit_judge
from trainer.evaluate.judge.pairwise import Judge, JudgeCase, correct_by_votes, prefer_both_orders

__all__ = ["Judge", "JudgeCase", "audit_judge", "correct_by_votes", "prefer_both_orders"]
