"""The report: what an evaluation means, as one page for people and one file for machines.

`build` computes every figure from the records alone, `verdict` decides, `render` makes the page.
`write` puts three files beside the records:

    report.html    reads from the disk, in Greek and English, on paper, in the dark
    report.json    every figure, hash and command
    report.jsonl   every question with all answers and values, one a line
"""

from trainer.evaluate.report.build import EvaluationReport, ReportOptions
from trainer.evaluate.report.write import FIGURES, ITEMS, PAGE, print_report, write_report

__all__ = [
    "FIGURES",
    "ITEMS",
    "PAGE",
    "EvaluationReport",
    "ReportOptions",
    "print_report",
    "write_report",
]
