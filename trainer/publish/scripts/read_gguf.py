"""Run by the Python of a llama.cpp checkout, with its `gguf` at hand: a file's facts as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

PLACEHOLDER = -1000.0  # what the converter writes where it knows no score


def main(path: str) -> None:
    """Print one line: see `Facts` in converter.py."""
    from gguf import GGUFReader

    reader = GGUFReader(path)

    def value(key: str) -> Any:
        found = reader.get_field(key)
        return found.contents() if found is not None else None

    scores = value("tokenizer.ggml.scores") or []
    facts = {
        "architecture": value("general.architecture") or "",
        "tokenizer": value("tokenizer.ggml.model") or "",
        "tokens": len(value("tokenizer.ggml.tokens") or []),
        "scores": len({score for score in scores if score != PLACEHOLDER}),
        "merges": len(value("tokenizer.ggml.merges") or []),
        "chat_template": value("tokenizer.chat_template") or "",
        "tensors": len(reader.tensors),
    }
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
