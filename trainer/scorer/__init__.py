"""The scorer: a score for an answer, given the question and a guide, read from one place.

The prompt ends just before the label, and the label is a digit: the score is what the model's
logits say about the ten digits there, so a score always comes out, with how sure it is. `items`
and `files` are what is scored and where it comes from, `prompt` and `head` how it is asked,
`training` and `scoring` the model, `calibration` and `metrics/` what its figures are worth,
`synthetic` makes labelled answers from the archive's own pairs, `apply` and `judging` use it.
"""
