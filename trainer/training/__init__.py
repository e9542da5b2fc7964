"""Training an adapter: our own loop over mlx-lm's models and LoRA layers.

What mlx-lm's trainer does not do: batches of truly equal length, a loss without pads, every row
in every epoch, a fixed validation set, clipping, exact resume, best and last checkpoint. The
adapter folder stays mlx-lm's own format. Only this package imports MLX at its top; nothing of it
is imported before a command really trains or answers.
"""
