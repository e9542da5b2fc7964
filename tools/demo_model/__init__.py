"""Builds the demo's tiny model from nothing (needs torch and tokenizers); the weights it made lie in kkoracle/demo/model."""
