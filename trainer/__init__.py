"""The trainer: accepted pairs become a leak-free dataset, the dataset a tuned model, with proof.

`dataset` splits and writes, `training` tunes, `evaluate` asks base and tuned the same questions;
`scorer`, `publish`, `serve`, `chat` and `review` each have a command of their own. The trainer
knows the spool and nothing of how pages were fetched or pairs were written.
"""
