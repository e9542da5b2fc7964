"""How right the accepted pairs are, fact by fact. Definitions: `bench/demo/__init__.py`."""

from __future__ import annotations

from collections import Counter

from bench.demo.results import ChunkFacts, DemoResults, folded_words
from bench.registry import Figures
from exchange.records import Pair
from exchange.text.sentences import split_sentences
from kkoracle.demo.newspaper import PrintedFact


def figures(printed: DemoResults) -> Figures:
    """The shares, and the counts that they are made of."""
    made = [pair for pair in printed.accepted if not pair.rephrase_of]
    again = [pair for pair in printed.accepted if pair.rephrase_of]
    with_pair = {pair.chunk_ids[0] for pair in made}
    with_fact = {name for name, piece in printed.pieces.items() if piece.facts}
    kinds: Counter[tuple[str, bool]] = Counter()
    found: set[tuple[str, str]] = set()
    for pair in made:
        fact = printed.right(pair)
        if fact:
            found.add((printed.pieces[pair.chunk_ids[0]].chunk.story_id, fact.sentence))
        about = fact or _about(pair, printed.pieces.get(pair.chunk_ids[0]))
        kinds["new" if about and not about.known else "known", fact is not None] += 1
    known, new = (kinds[kind, True] + kinds[kind, False] for kind in ("known", "new"))
    held = sum(len(piece.facts) for piece in printed.pieces.values())
    return {
        "chunks": len(printed.pieces),
        "chunks_with_pair": share(len(with_pair & with_fact), len(with_fact)),
        "chunks_with_pair_all": share(len(with_pair), len(printed.pieces)),
        "facts_per_chunk": share(len(found), len(with_fact)),
        "facts_held_per_chunk": share(held, len(with_fact)),
        "pairs_accepted": len(made),
        "pairs_right": share(kinds["known", True], known),
        "pairs_right_new_frames": share(kinds["new", True], new),
        "pairs_about_new_frames": new,
        "rephrased_accepted": len(again),
        "rephrased_right": share(sum(printed.right(p) is not None for p in again), len(again)),
    }


def _about(pair: Pair, piece: ChunkFacts | None) -> PrintedFact | None:
    """The fact of the sentence that a wrong pair shares most words with, if it holds one."""
    if piece is None:
        return None
    said = set(folded_words(f"{pair.question} {pair.answer}").split())
    lines = piece.chunk.text.splitlines()
    sentences = [folded_words(sentence) for line in lines for sentence in split_sentences(line)]
    nearest = max(sentences, key=lambda sentence: len(said & set(sentence.split())), default="")
    return next((fact for fact in piece.facts if folded_words(fact.sentence) == nearest), None)


def share(part: float, whole: float) -> float | None:
    """A share to four places; None of nothing."""
    return round(part / whole, 4) if whole else None
