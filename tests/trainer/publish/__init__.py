"""Publishing: what is written from a finished run."""
