"""Training: the loop, its arithmetic, its checkpoints and its recipes."""
