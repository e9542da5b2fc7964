"""Training an adapter: our own loop over mlx-lm's models and LoRA layers.

What mlx-lm's trainer does not do: batches of truly equal length, a loss without pads, every row
in every epoch, a fixed validation set, clipping, exact resume, best and last checkpoint. The
adapter folder stays mlx-lm's own format. What computes imports MLX at its top (`loop`, `loss`,
`adapter`, `checkpoints`, `activation_cache`, `frozen_layers`, `optimizer`, `dry_run`, `fuse`);
`train`, `runs`, `plan`, `callbacks`, `settings` and `batches` can be read without it.
"""
