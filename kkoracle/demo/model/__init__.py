"""The tiny model that reads the sample newspaper, and the script that trains it.

`weights()` is the folder to give to mlx-lm. Training needs torch and tokenizers and is a matter for
developers: `python -m tools.demo_model.build`; README.md tells what was tried and reached.
"""

from __future__ import annotations

from pathlib import Path


def weights_folder() -> Path:
    """The folder with the shipped model in Hugging Face layout."""
    return Path(__file__).with_name("weights")
