"""The scorer: a score for an answer, given the question and a guide, read from one place.

`records` reads files of any layout, `fields` and `marks` know what their columns and cells mean,
`files` makes `items` of them. `candidates/` can be taught: regressions on what an answer shares
with its guide, and a language model that reads the label. `training` has `selection` and `tuning`
try them on answers `left_out`; `metrics`, `baselines` and `calibration` say what their figures are
worth and from which confidence on one is to be believed. `loaded` is a finished one with what it
was taught; `batch`, `serve`, `apply` and `judge_evaluation` use it, behind the `guards`.
`synthetic` makes labelled answers from the archive's own pairs.
"""
