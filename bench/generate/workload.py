"""What all three are asked: a random model, chunks of the sample newspaper, bounds on the answers.

A random model ends an answer almost never, so each chunk comes with the number of tokens its
answer has; they differ, as real answers do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from exchange.inference.engine import Message

SEED = 7
TOKENS_IN = 355, 440  # of a whole prompt, give or take a word
TOKENS_OUT = 60, 260
PROMPT = Path(__file__).parent / "prompt.txt"
HEADER = "Η Φωνή του Κάμπου"
SIZES = {"vocab": 8192, "layers": 7, "heads": 8, "kv_heads": 2}  # as wide as deep, like Meltemi
WARM_UP = 2  # chunks generated before the clock runs, other than those that count
_FILE = "material.json"


@dataclass(frozen=True, slots=True)
class GenerationWorkload:
    """The same work for each; every process reads it from the folder."""

    model: Path
    width: int
    headers: list[str]
    texts: list[str]  # the last `WARM_UP` are for warming up
    limits: list[int]  # tokens of each answer

    @classmethod
    def read(cls, folder: Path) -> Self:
        raw: dict[str, Any] = orjson.loads((folder / _FILE).read_bytes())
        return cls(Path(raw.pop("model")), **raw)

    def write(self, folder: Path) -> None:
        (folder / _FILE).write_bytes(orjson.dumps(self, default=str))

    def messages(self) -> list[list[Message]]:
        """The requests, those that count first."""
        from exchange.recipes import prompts

        prompt = prompts.load_prompt(str(PROMPT))
        return [prompt.messages(*one) for one in zip(self.headers, self.texts, strict=True)]


def make(folder: Path, chunks: int, width: int, hidden: int) -> GenerationWorkload:
    """Train a tokenizer, draw the weights, cut the chunks, and write all of it down."""
    from tokenizers import Tokenizer

    from kkoracle.demo.newspaper import build_newspaper
    from tools.tiny_model import make_tiny_model

    stories = build_newspaper(SEED, max(60, chunks * 3)).stories
    paragraphs = [paragraph for story in stories for paragraph in story.paragraphs]
    instruction = PROMPT.read_text("utf-8")
    model = make_tiny_model(
        folder / "model", [*paragraphs, instruction], hidden=hidden, seed=SEED, **SIZES
    )
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))

    def tokens(text: str) -> int:
        return len(tokenizer.encode(text).ids)

    luck = random.Random(SEED)
    around = tokens(instruction) + tokens(HEADER)
    count = chunks + WARM_UP
    texts = list(
        _cut(paragraphs, [luck.randint(*TOKENS_IN) - around for _ in range(count)], tokens)
    )
    limits = [luck.randint(*TOKENS_OUT) for _ in texts]
    made = GenerationWorkload(model, width, [HEADER] * count, texts, limits)
    made.write(folder)
    return made


def _cut(paragraphs: list[str], sizes: list[int], tokens: Any) -> Iterator[str]:
    """A text of about so many tokens for each size, in whole words."""
    words = iter(" ".join(paragraphs * 20).split())
    for size in sizes:
        text = ""
        while tokens(text) < size:
            text = f"{text} {next(words)}".strip()
        yield text
