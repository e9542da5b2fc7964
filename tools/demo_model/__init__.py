"""Builds the demo's tiny model from nothing (needs torch and tokenizers).

The weights that it made lie in `kkoracle/demo/model/`.
"""
