"""What both trainers read: a random model, and rows of the lengths that question and answer have.

Lengths are drawn from a triangle over 60 to 250 tokens with its peak at 80, so 130 on average and
skewed as answers are; a third of each row is the question.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

SEED = 7
SHORTEST, USUAL, LONGEST = 60, 80, 250  # tokens of a row
PROMPT = 1 / 3  # of a row
SIZES: dict[str, Any] = {"vocab": 4096, "hidden": 384, "layers": 8, "heads": 6, "kv_heads": 2}
RANK, ALPHA = 16, 32.0
BATCH = 4  # mlx_lm.lora's default
CHUNK, PER_CHUNK = 400, 9  # tokens; rows out of one: three pairs of three wordings each
_FILE, _CHUNKS = "material.json", "chunks.jsonl"


@dataclass(frozen=True, slots=True)
class TrainWorkload:
    """The same work for each; every process reads it from the folder."""

    model: Path
    data: Path  # folder with train.jsonl, in the chat format that mlx_lm.lora reads
    rows: int

    @classmethod
    def read(cls, folder: Path) -> Self:
        raw: dict[str, Any] = orjson.loads((folder / _FILE).read_bytes())
        return cls(Path(raw["model"]), Path(raw["data"]), raw["rows"])

    def turns(self) -> Iterator[list[dict[str, str]]]:
        """The conversations, in the order of the file."""
        for line in (self.data / "train.jsonl").read_bytes().splitlines():
            yield orjson.loads(line)["messages"]

    def chunks(self) -> list[str]:
        """What the rows were made from, so many of them each, in the order of the file."""
        lines = (self.data.parent / _CHUNKS).read_bytes().splitlines()
        return [orjson.loads(line) for line in lines]


def make(folder: Path, rows: int) -> TrainWorkload:
    """Train a tokenizer, draw the weights, write the rows."""
    from tokenizers import Tokenizer

    from kkoracle.demo.newspaper import build_newspaper
    from tools.tiny_model import make_tiny_model

    stories = build_newspaper(SEED, 300).stories
    paragraphs = [paragraph for story in stories for paragraph in story.paragraphs]
    model = make_tiny_model(folder / "model", paragraphs, seed=SEED, **SIZES)
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    words = _endless(" ".join(paragraphs).split())
    luck = random.Random(SEED)

    def tokens(text: str) -> int:
        return len(tokenizer.encode(text).ids)

    data = folder / "data"
    data.mkdir()
    with (data / "train.jsonl").open("wb") as file:
        for _ in range(rows):
            length = round(luck.triangular(SHORTEST, LONGEST, USUAL))
            asked = round(length * PROMPT)
            turns = [
                {"role": "user", "content": _text(words, asked - 3, tokens)},  # tags and BOS
                {"role": "assistant", "content": _text(words, length - asked - 1, tokens)},
            ]
            file.write(orjson.dumps({"messages": turns}, option=orjson.OPT_APPEND_NEWLINE))
    chunks = (_text(words, CHUNK, tokens) for _ in range(-(-rows // PER_CHUNK)))
    (folder / _CHUNKS).write_bytes(
        b"".join(orjson.dumps(text, option=orjson.OPT_APPEND_NEWLINE) for text in chunks)
    )
    (folder / _FILE).write_bytes(
        orjson.dumps({"model": str(model), "data": str(data), "rows": rows})
    )
    return TrainWorkload(model, data, rows)


def _endless(words: list[str]) -> Iterator[str]:
    while True:
        yield from words


def _text(words: Iterator[str], size: int, tokens: Callable[[str], int]) -> str:
    """Whole words, about so many tokens."""
    text = next(words)
    while tokens(text) <= size:  # the tokenizer counts a BOS
        text = f"{text} {next(words)}"
    return text
