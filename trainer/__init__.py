"""The trainer: accepted pairs become a leak-free dataset, the dataset a tuned model, with proof.

`dataset/` splits and writes, `lora/` trains (the only modules that import MLX at their top),
`training` holds a run together, `compare` asks base and tuned the same questions. The trainer
knows the spool and nothing of how pages were fetched or pairs were written.
"""
