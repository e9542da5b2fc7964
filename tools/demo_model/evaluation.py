"""The figures the tiny model is judged by, on the sample newspaper that it never saw."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from tokenizers import Tokenizer

from crawler.extract.chunk import pack_sentences
from exchange.text.sentences import split_sentences
from kkoracle.demo.newspaper import PrintedFact, SampleNewspaper
from kkoracle.demo.newspaper.inflect import slash_date
from tools.demo_model.briefs import fill, parse_pairs
from tools.demo_model.decode import greedy
from tools.demo_model.network import Network
from tools.demo_model.tokenizer import chat

# The chunk size of the demo's profile in characters.
CHUNK_SIZE = 200


@dataclass(frozen=True, slots=True)
class DemoChunk:
    """A piece of a story as the demo's profile cuts it, and the facts that it holds in order."""

    header: str
    text: str
    facts: tuple[PrintedFact, ...]


def chunks(newspaper: SampleNewspaper, size: int = CHUNK_SIZE) -> list[DemoChunk]:
    """The newspaper in chunks of about `size` characters, cut as the crawler cuts them."""
    found = []
    for story in newspaper.stories:
        header = f"{newspaper.name}, {slash_date(story.date)}, {story.title}"
        for text in pack_sentences(list(story.paragraphs), size):
            held = sorted(
                (fact for fact in story.facts if fact.sentence in text),
                key=lambda fact: text.index(fact.sentence),
            )
            found.append(DemoChunk(header, text, tuple(held)))
    return found


def _grounded(pair: tuple[str, str], text: str) -> bool:
    """Whether question and answer meet in one sentence: every number and name of both is there."""
    for sentence in (s for line in text.splitlines() for s in split_sentences(line)):
        words = set(re.findall(r"\w+", sentence))
        asked = re.findall(r"\d+|(?<=\s)[Α-ΩΆ-Ώ]\w+", pair[0])
        answered = re.findall(r"\w+", pair[1][:1].lower() + pair[1][1:])
        lower = {word.lower() for word in words}
        if all(word in words for word in asked) and all(w.lower() in lower for w in answered):
            return True
    return False


def pair_metrics(
    network: Network, tokenizer: Tokenizer, pieces: list[DemoChunk]
) -> tuple[dict[str, float], list[tuple[DemoChunk, str]]]:
    """Shares of chunks and pairs, and the chunks that were not answered exactly.

    chunks_with_pair: chunks with a fact that yield a grounded pair; pairs_right: grounded pairs
    about known frames that are exactly a fact of the chunk (question and answer);
    pairs_right_new_frames: chunks holding only new frames, grounded pairs that are exact;
    exact_known: chunks of known frames answered wholly right, facts in order;
    silent_without_fact: chunks without a fact that yield no pair.
    """
    prompts = [chat(fill("chunk-brief", header=c.header, text=c.text)) for c in pieces]
    written = greedy(network, tokenizer, prompts)
    count = dict.fromkeys(
        (
            "with_fact",
            "with_pair",
            "pairs",
            "right",
            "new_chunks",
            "new_pairs",
            "new_right",
            "known_chunks",
            "exact",
            "bare",
            "silent",
            "facts",
            "found",
        ),
        0,
    )
    wrong = []
    for piece, text in zip(pieces, written, strict=True):
        pairs = parse_pairs(text)
        kept = [pair for pair in pairs if _grounded(pair, piece.text)]
        truth = [(fact.question, fact.answer) for fact in piece.facts]
        count["facts"] += len(truth)
        count["found"] += sum(pair in pairs for pair in truth)
        if not truth:
            count["bare"] += 1
            count["silent"] += not pairs
            continue
        count["with_fact"] += 1
        count["with_pair"] += bool(kept)
        known = [fact.known for fact in piece.facts]
        if all(known):
            count["known_chunks"] += 1
            count["exact"] += pairs == truth
            count["pairs"] += len(kept)
            count["right"] += sum(pair in truth for pair in kept)
        elif not any(known):
            count["new_chunks"] += 1
            count["new_pairs"] += len(kept)
            count["new_right"] += sum(pair in truth for pair in kept)
        if pairs != truth:
            wrong.append((piece, text))
    share = {
        "chunks_with_pair": _share(count["with_pair"], count["with_fact"]),
        "pairs_right": _share(count["right"], count["pairs"]),
        "exact_known": _share(count["exact"], count["known_chunks"]),
        "facts_found": _share(count["found"], count["facts"]),
        "pairs_right_new_frames": _share(count["new_right"], count["new_pairs"]),
        "new_frame_pairs_per_chunk": _share(count["new_pairs"], count["new_chunks"]),
        "silent_without_fact": _share(count["silent"], count["bare"]),
        "chunks": float(len(pieces)),
    }
    return share, wrong


def task_metrics(
    network: Network, tokenizer: Tokenizer, newspaper: SampleNewspaper, count: int, seed: int = 1
) -> dict[str, float]:
    """Exact answers of the other tasks on known frames: open book, rephrasing, marks 5 and 0."""
    rng = random.Random(seed)
    pieces = [piece for piece in chunks(newspaper) if any(f.known for f in piece.facts)]
    pieces = rng.sample(pieces, min(count, len(pieces)))
    facts = [rng.choice([f for f in piece.facts if f.known]) for piece in pieces]
    asked = [rng.choice((fact.question, *fact.rephrasings)) for fact in facts]
    book = [
        chat(fill("answer-brief", header=piece.header, text=piece.text, question=question))
        for piece, question in zip(pieces, asked, strict=True)
    ]
    other = [chat(fill("rephrase-brief", question=fact.question)) for fact in facts]
    marks = []
    for index, fact in enumerate(facts):
        wrong = next(f for f in facts[index + 1 :] + facts if f.frame != fact.frame)
        for answer in (fact.answer, wrong.answer):
            slots = {"question": fact.question, "guide": fact.answer, "answer": answer}
            marks.append(chat(fill("score-brief", **slots)))
    answers = greedy(network, tokenizer, book + other + marks, 80)
    n = len(facts)
    graded = answers[2 * n :]
    return {
        "open_book": _share(sum(a == f.answer for a, f in zip(answers, facts, strict=False)), n),
        "rephrased": _share(
            sum(a in f.rephrasings for a, f in zip(answers[n:], facts, strict=False)), n
        ),
        "marks": _share(
            sum(mark == ("5", "0")[index % 2] for index, mark in enumerate(graded)), 2 * n
        ),
    }


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0
