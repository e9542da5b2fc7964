"""May this judge be believed? It must find planted faults, whichever answer stands first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trainer.evaluate.judge.faults import FAULTS
from trainer.evaluate.judge.pairwise import Judge, prefer_both_orders
from trainer.evaluate.records import EvalItem, FaultCount, JudgeAudit, Preference, as_dicts
from trainer.statistics import wilson_interval

FAULTS_PER_KIND = 30  # planted faults of a kind
MIN_FAULTS = 15  # with fewer the interval reaches from a coin to a perfect judge
# A judge that throws a coin is right in both orders once in four; one that is right more often than
# not, in both orders, is worth asking. The lower end of Wilson's 95 % interval must be above it.
MIN_DETECTION = 0.5
MAX_POSITION_BIAS = 0.15  # how far the share of what stands first may be from a half


def audit_judge(
    judge: Judge, items: Sequence[EvalItem], progress: Callable[[], None] = lambda: None
) -> JudgeAudit:
    """Plant every kind of fault in references and let the judge choose.

    Args:
        items: with a gold chunk and a reference each; faults that need another answer take the
            next item's.
    """
    planted: dict[str, list[tuple[EvalItem, str, str, str, str]]] = {name: [] for name in FAULTS}
    usable = [item for item in items if item.gold and item.reference]
    for number, item in enumerate(usable):
        other = usable[(number + 1) % len(usable)].reference
        for name, plant in FAULTS.items():
            wrong = plant(item.reference, other)
            if wrong and wrong != item.reference and len(planted[name]) < FAULTS_PER_KIND:
                planted[name].append((item, "right", name, item.reference, wrong))
    said = prefer_both_orders(judge, [row for rows in planted.values() for row in rows], progress)
    faults = [
        FaultCount(name, len(rows), sum(one.value == 1.0 for one in said if one.other == name))
        for name, rows in planted.items()
    ]
    share = _first_share(said)
    reason = _reason(faults, share)
    return JudgeAudit(
        judge.name, judge.signature, not reason, reason, round(share, 4), as_dicts(faults)
    )


def _first_share(said: Sequence[Preference]) -> float:
    """How often what stood first was preferred, over both orders."""
    given = [share for one in said for share in (one.first, 1 - one.second)]
    return sum(0.5 + 0.5 * ((share > 0.5) - (share < 0.5)) for share in given) / max(1, len(given))


def _reason(faults: Sequence[FaultCount], share: float) -> str:
    """Why the judge is not believed; "" when it is."""
    tried = [fault for fault in faults if fault.asked >= MIN_FAULTS]
    if not tried:
        return f"no kind of fault could be planted {MIN_FAULTS} times"
    if abs(share - 0.5) > MAX_POSITION_BIAS:
        return f"it prefers what stands {'first' if share > 0.5 else 'second'} ({share:.0%} of all)"
    missed = [
        fault.name
        for fault in tried
        if wilson_interval(fault.caught, fault.asked)[0] <= MIN_DETECTION
    ]
    return f"it does not find these faults surely enough: {', '.join(missed)}" if missed else ""
