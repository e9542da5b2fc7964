"""The tiny model: what it was taught, what it never saw, and that it does its work."""

from __future__ import annotations

import json
import random
import re
import string
from pathlib import Path

import pytest

from kkoracle.demo.model import weights_folder
from kkoracle.demo.newspaper import build_newspaper
from kkoracle.demo.newspaper.inflect import long_date, slash_date
from kkoracle.demo.newspaper.slots import TownCast
from kkoracle.demo.newspaper.vocabulary import (
    NEWSPAPER,
    TRAINING,
    SentenceFrame,
    known_frames,
    new_frames,
    side,
)
from tools.demo_model.briefs import NOTHING_TO_ASK, fill, pairs_text, parse_pairs, prompt
from tools.demo_model.examples import Example, ExampleMaker

ROOT = Path(__file__).parents[2]
PAPER = build_newspaper()


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    maker = ExampleMaker(11)
    return [maker.example(2) for _ in range(4000)]


@pytest.fixture(scope="module")
def training_text(examples: list[Example]) -> str:
    return "\n".join(f"{example.user}\n{example.answer}" for example in examples)


def _pattern(template: str) -> re.Pattern[str]:
    """What a template looks like with anything in its slots."""
    parts = [
        re.escape(text) + (r"[^\n]+?" if name else "")
        for text, name, _, _ in string.Formatter().parse(template)
    ]
    return re.compile("".join(parts))


def _words(text: str) -> str:
    """The words of a text with one space between them."""
    return " ".join(re.findall(r"\w+", text))


def _sentences(frame: SentenceFrame) -> tuple[str, str]:
    return frame.templates[1], frame.templates[2]


def test_examples_depend_on_the_seed_alone(examples: list[Example]) -> None:
    maker = ExampleMaker(11)
    assert [maker.example(2) for _ in range(50)] == examples[:50]
    other = ExampleMaker(12)
    assert other.example(2) != examples[0]
    assert other.closed_facts == maker.closed_facts


def test_held_out_frames_never_stand_in_the_training_text(training_text: str) -> None:
    for frame in new_frames():
        for template in _sentences(frame):
            assert not _pattern(template).search(training_text), frame.id
    for frame in known_frames():
        for template in _sentences(frame):
            assert _pattern(template).search(training_text), frame.id


def test_dates_of_the_newspaper_never_stand_in_the_training_text(training_text: str) -> None:
    date = re.compile(r"\d{1,2} [Α-Ω][α-ωά-ώϊ]+ (?:19|20)\d\d")
    printed = set(date.findall(" ".join(p for s in PAPER.stories for p in s.paragraphs)))
    taught = set(date.findall(training_text))
    assert len(printed) > 300 and len(taught) > 2000
    assert not printed & taught
    assert all(side(text) == TRAINING for text in taught)
    for story in PAPER.stories:
        assert side(long_date(story.date)) == NEWSPAPER
        assert f", {slash_date(story.date)}, " not in training_text


def test_names_of_the_newspaper_never_stand_in_the_training_text(training_text: str) -> None:
    cast = TownCast(random.Random("kkoracle newspaper 7"))
    printed = "\n".join(p for story in PAPER.stories for p in story.paragraphs)
    taught = f" {_words(training_text)} "
    met = 0
    for letter, members in cast.members.items():
        for member in members:
            text = str(member)
            met += text in printed
            # A work is an everyday thing at a place; the place is what must be another.
            name = text.split()[-1] if letter in "vw" else text
            name = re.sub(".*«(.*)»", r"\1", name)
            assert f" {_words(name)} " not in taught, name
    assert met > 300


def test_prompts_say_what_the_workers_prompts_say() -> None:
    folder = ROOT / "workers" / "prompts" / "el"
    for name in ("chunk-brief", "rephrase-brief", "score-brief", "answer-brief"):
        theirs = folder / f"{name}.txt"
        if theirs.exists():
            assert theirs.read_text(encoding="utf-8").rstrip("\n ") == prompt(name).rstrip(" ")


def test_pairs_are_written_as_they_are_read() -> None:
    pairs = [("Πότε;", "Στις 3 Μαΐου 2011."), ("Ποιος;", "Ο Νίκος.")]
    assert parse_pairs(pairs_text(pairs)) == pairs
    assert parse_pairs(NOTHING_TO_ASK) == []
    assert fill("rephrase-brief", question="Τι {x};").endswith("Τι {x};")


def test_the_weights_are_small_and_complete() -> None:
    names = {path.name for path in weights_folder().iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert sum(path.stat().st_size for path in weights_folder().iterdir()) <= 12_000_000
    config = json.loads((weights_folder() / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "mistral"
    assert (config["bos_token_id"], config["eos_token_id"]) == (1, 2)


def test_any_text_survives_the_tokenizer() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(weights_folder() / "tokenizer.json"))
    for text in (PAPER.stories[0].paragraphs[0], "«Άλφα» 12.345 €\nβήτα;", "漢字 😀 x"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert len(tokenizer.encode("2014", add_special_tokens=False).tokens) == 5


def test_the_model_writes_right_pairs_about_the_newspaper() -> None:
    mlx_lm = pytest.importorskip("mlx_lm")
    import mlx.core as mx

    model, tokenizer = mlx_lm.load(str(weights_folder()))
    model.set_dtype(mx.float32)
    facts = [
        (story, fact)
        for story in PAPER.stories
        for fact in story.facts
        if fact.frame in ("obituary", "fire", "coach", "power_cut")
    ][:8]
    right = 0
    for story, fact in facts:
        header = f"{PAPER.name}, {slash_date(story.date)}, {story.title}"
        text = fill("chunk-brief", header=header, text=fact.sentence)
        messages = [{"role": "user", "content": text}]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        written = mlx_lm.generate(model, tokenizer, ids, max_tokens=96)
        right += parse_pairs(written) == [(fact.question, fact.answer)]
    assert right >= 6
