"""What a person sees of a scorer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exchange.text.language import load_language
from trainer.scorer.apply import ApplyResult
from trainer.scorer.evaluate import ScorerResult
from trainer.scorer.fields import ReadOptions
from trainer.scorer.files import ItemReadResult, read_items
from trainer.scorer.folder import ScorerInfo
from trainer.scorer.items import ScoreItem, score_prompt_languages

SHOWN = 20  # bad rows printed one by one
LOPSIDED = 0.6  # share of one mark from which accuracy says little
MARKS = 12  # of a scale that are printed with their answers
RARE = 10  # answers of a mark; of fewer nothing is learned


def results_table(entries: Sequence[ScorerResult]) -> Table:
    """The bake-off: unseen answers first, then unseen questions; the rest is in `eval.json`."""
    table = Table(title="Who scores best", title_justify="left", box=box.SIMPLE, pad_edge=False)
    table.add_column("system", no_wrap=True)
    for name in ("n", "qwk, 95 %", "accuracy, 95 %", "mae"):
        table.add_column(name, justify="right", no_wrap=True)
    for test in dict.fromkeys(entry.test for entry in entries):
        table.add_section()
        table.add_row(f"[bold]{test.replace('_', ' ')}[/]")
        for entry in entries:
            if entry.test == test:
                table.add_row(*_cells(entry))
    table.caption = "\n".join(["mae: as a share of the maximum", *_answered_lines(entries)])
    table.caption_justify = "left"
    return table


def scorer_table(about: ScorerInfo) -> Table:
    """What was taught and how sure it is."""
    table = Table(title=f"Scorer {about.key}", title_justify="left", show_header=False)
    rows = {
        "chosen": f"{about.chosen}, of {len([t for t in about.trials if t['figures']]) or 1} tried",
        "base": about.model or "none",
        "taught by": f"{'people' if about.human else 'made-up faults'}, {about.source}",
        "items": ", ".join(
            f"{count:,} {name.replace('_', ' ')}" for name, count in about.sizes.items()
        ),
        "scales": ", ".join(
            f"0 to {maximum} in {top + 1} levels" for maximum, top in sorted(about.scales.items())
        ),
        "temperature": f"{about.temperature:.2f}",
        "abstains below": f"a confidence of {about.threshold:.2f}, for {about.agreement:.0%} "
        "exactly right"
        if about.threshold <= 1
        else f"any confidence: {about.agreement:.0%} exactly right is out of reach",
        "on answers left out": ", ".join(
            f"{key} {value:.3f}" for key, value in about.valid.items()
        ),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def trials_table(about: ScorerInfo) -> Table:
    """Everything that was tried, on answers to questions that it had not seen."""
    table = Table(title="On answers left out", title_justify="left", box=box.SIMPLE)
    table.add_column("candidate", no_wrap=True)
    for name in ("answers", "qwk, 95 %", "accuracy, 95 %", "CPU s"):
        table.add_column(name, justify="right", no_wrap=True)
    for trials in (about.trials, about.baselines):
        table.add_section()
        for trial in trials:
            if trial["figures"]:
                table.add_row(*_trial_cells(trial))
    untried = [trial for trial in about.trials if not trial["figures"]]
    table.caption = escape(
        "\n".join(f"not tried: {trial['name']}: {trial['reason']}" for trial in untried)
    )
    table.caption_justify = "left"
    return table


def _trial_cells(trial: dict[str, Any]) -> list[str]:
    kappa, accuracy = trial["figures"]["qwk"], trial["figures"]["accuracy"]
    return [
        trial["name"],
        f"{trial['rows']:,}",
        *(
            f"{found['value']:.2f}  {_ends(found['low'], found['high'])}"
            for found in (kappa, accuracy)
        ),
        f"{trial['seconds']:.1f}" if trial["seconds"] else "",
    ]


def _ends(low: float, high: float) -> str:
    """An interval as short as it can be."""
    return f"{low:.2f}…{high:.2f}"


def verdict(about: ScorerInfo) -> str:
    """Whether it may be used at all, and how one knows."""
    gain = about.gain
    if not gain:
        return ""
    ahead = f"{gain['value']:+.2f} kappa, 95 % from {gain['low']:+.2f} to {gain['high']:+.2f}"
    if about.knows:
        return f"clearly better than length and the mean of the question: {ahead}"
    return (
        f"this scorer knows nothing that the length does not ({ahead}): it abstains always; "
        "teach it more answers, or give every question a guide"
    )


def applied_lines(applied: ApplyResult, scorer: str) -> list[str]:
    """What came of scoring pairs, and what to do next."""
    lines = [
        f"{applied.scored:,} pairs scored by {scorer}, {applied.abstained:,} too unsure to "
        f"score, {applied.before:,} scored before"
    ]
    top = max(applied.by_level) or 1
    for level, count in sorted(applied.by_level.items()):
        share = count / applied.scored if applied.scored else 0.0
        points = level / top * applied.maximum
        lines.append(f"  {points:4.1f} of {applied.maximum:g}  {'#' * round(share * 40)} {count:,}")
    lines.append(
        f"[dataset] min_score = {applied.maximum * 0.6:g} and `kkoracle dataset build` "
        "leave out what earns less; pairs without a score stay"
    )
    return lines


def _cells(entry: ScorerResult) -> list[str]:
    def shown(name: str) -> str:
        if name not in entry.figures:
            return ""
        told = entry.intervals.get(name)
        return f"{entry.figures[name]:.2f}" + (f"  {_ends(*told)}" if told else "")

    return [
        entry.system,
        f"{entry.items:,}",
        shown("qwk"),
        shown("accuracy"),
        f"{entry.figures['mae']:.2f}" if "mae" in entry.figures else "",
    ]


def _answered_lines(entries: Sequence[ScorerResult]) -> Iterator[str]:
    """What it is right about where it does not abstain."""
    for entry in entries:
        if (found := entry.answered_figures) is not None:
            right = f", {found['accuracy']:.0%} of those exactly right" if found else ""
            yield f"{entry.test.replace('_', ' ')}: sure of {entry.answered:.0%}{right}"


def read_and_report(
    console: Console,
    files: Sequence[Path],
    options: ReadOptions,
    *,
    valid: Sequence[Path] = (),
    test: Sequence[Path] = (),
    scored: bool = True,
) -> ItemReadResult:
    """The items of files; what is no row, was assumed or was not used is printed."""
    found = read_items(files, options, valid=valid, test=test, scored=scored)
    for line in read_lines(found, options, scored):
        console.print(line, soft_wrap=True, markup=False)
    return found


def balance_lines(items: Sequence[ScoreItem]) -> list[str]:
    """How the marks are spread, and what to do where nearly all are one."""
    lines = []
    for scale in sorted({item.scale for item in items}, key=lambda scale: scale.maximum):
        counted = Counter(item.level for item in items if item.scale == scale)
        common = sorted(n for n, _ in counted.most_common(MARKS))
        spread = ", ".join(f"{scale.score(n):g}: {counted[n]:,}" for n in common)
        spread += f" and {len(counted) - MARKS} rarer marks" if len(counted) > MARKS else ""
        lines.append(f"marks of {scale.maximum:g}: {spread}")
        mark, most = counted.most_common(1)[0]
        share = most / counted.total()
        if share > LOPSIDED:
            rare = ", ".join(f"{scale.score(n):g}" for n in sorted(counted) if counted[n] < RARE)
            lines.append(
                f"{share:.0%} have the mark {scale.score(mark):g}: to always say it would be right "
                "so often, so look at QWK, not at accuracy; marking more answers helps most where "
                f"they earn {rare or 'another mark'}"
            )
    return lines


def read_lines(found: ItemReadResult, options: ReadOptions, scored: bool = True) -> list[str]:
    """What somebody has to know about rows that were read."""
    lines = [f"no row: {where} {reason}" for where, reason in found.bad[:SHOWN]]
    if len(found.bad) > SHOWN:
        more = Counter(reason for _, reason in found.bad[SHOWN:])
        why = ", ".join(f"{count} {reason}" for reason, count in more.most_common())
        lines.append(f"no row: {len(found.bad) - SHOWN} more ({why})")
    for file, names in found.unused.items():
        lines.append(
            f"{file}: not used: {', '.join(map(repr, names))} (--columns answer=HEADING says "
            "what a column is)"
        )
    if found.assumed_maximum and scored:
        lines.append(
            f"no maximum named: {found.assumed_maximum:g}, the largest score, is taken "
            "for it (--maximum)"
        )
    spoken = {item.language for item in found.all}
    if not options.language and found.language in spoken:
        named = load_language(found.language).english_name
        lines.append(f"language: {named}, as the rows read (--language)")
    for other in sorted(spoken - set(score_prompt_languages())):
        lines.append(
            f"{load_language(other).english_name}: asked by the general prompt, which is in English"
        )
    return lines
