"""Requests with parameters of their own: sampling, prefixes, pieces, stop texts, probabilities."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from exchange.inference import runtime
from exchange.inference.engine import BASE, GREEDY, SamplingParams, TextPiece, TokenLogprob, drain
from exchange.inference.mlx import scheduler
from exchange.inference.mlx.batch import BatchRow, ContinuousBatch, fold_seed, make_sampler
from exchange.inference.mlx.engine import MlxEngine
from exchange.inference.mlx.kv_cache import CachedPrefix, PrefixCache
from kkoracle.demo.plan import MODEL
from tests.conftest import SENTENCES

TOKENS = 24


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> runtime.LoadedModels:
    model, tokenizer = runtime.load(tiny_model)
    return runtime.LoadedModels({BASE: model}, tokenizer, runtime.context_length(model))


@pytest.fixture(scope="module")
def engine(loaded: runtime.LoadedModels) -> MlxEngine:
    return MlxEngine(loaded, name="tiny", width=4)


@pytest.fixture(scope="module")
def speaker() -> MlxEngine:
    """A model that has learned to write: its tokens are letters."""
    return MlxEngine(MODEL, name="demo", width=4)


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def answers(engine: MlxEngine, prompts: Sequence[str], sampling: SamplingParams) -> list[str]:
    tickets = [
        engine.submit(ask(text), TOKENS, 5 + n, sampling=sampling) for n, text in enumerate(prompts)
    ]
    return texts_of(engine, tickets)


def texts_of(engine: MlxEngine, tickets: Sequence[int]) -> list[str]:
    found = [""] * len(tickets)

    def on_output(number: int, output: Any) -> None:
        found[number] = output.text

    drain(engine, {ticket: number for number, ticket in enumerate(tickets)}, on_output)
    return found


def test_a_row_draws_the_same_token_among_others_as_among_its_like() -> None:
    mx.random.seed(3)
    logits = 3 * mx.random.normal((5, 467))
    logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    ways = [
        GREEDY,
        SamplingParams(0.7, 0.9),
        SamplingParams(1.3),
        SamplingParams(0.7, 1e-6),
        SamplingParams(2.0, 0.5),
    ]
    for number in range(60):
        keys = [(1000 + row, number) for row in range(5)]
        mixed: Any = make_sampler(ways)(logprobs, keys).tolist()
        for row, way in enumerate(ways):
            alike: Any = make_sampler([way] * 5)(logprobs, keys).tolist()
            assert mixed[row] == alike[row], way


def test_seeds_of_64_bit_are_told_apart_and_small_ones_are_themselves(engine: MlxEngine) -> None:
    assert [fold_seed(seed) for seed in (0, 7, (1 << 31) - 1)] == [0, 7, (1 << 31) - 1]
    sampling = SamplingParams(2.0)
    seeds = [(1 << 64) - 1, 3 << 40, 3 << 40]
    one, other, again = texts_of(
        engine,
        [engine.submit(ask(SENTENCES[0]), TOKENS, seed, sampling=sampling) for seed in seeds],
    )
    assert one != other == again


def test_requests_of_different_sampling_in_one_batch_say_what_they_say_alone(
    engine: MlxEngine,
) -> None:
    ways = [GREEDY, SamplingParams(0.8, 0.9), SamplingParams(1.5), SamplingParams(0.8)]
    alone = [answers(engine, SENTENCES, way)[n] for n, way in enumerate(ways)]
    tickets = [
        engine.submit(ask(text), TOKENS, 5 + n, sampling=way)
        for n, (text, way) in enumerate(zip(SENTENCES, ways, strict=True))
    ]
    assert texts_of(engine, tickets) == alone


def test_the_cache_of_a_row_that_ended_is_that_of_its_tokens_read_anew(
    loaded: runtime.LoadedModels,
) -> None:
    from mlx_lm.models.cache import make_prompt_cache

    model = loaded.models[BASE]
    kept: list[tuple[list[int], list[Any]]] = []

    def on_end(row: BatchRow, cache: list[Any]) -> None:
        kept.append(([*row.prompt, *row.tokens], cache))

    batch = ContinuousBatch(model, 3, loaded.tokenizer.eos_token_ids, on_end)
    prompts = [loaded.tokenizer.encode(text) for text in SENTENCES[:3]]
    batch.admit([BatchRow(prompt=p, max_tokens=5 + 4 * n, seed=0) for n, p in enumerate(prompts)])
    while batch.rows:
        batch.step()
    assert len(kept) == 3
    for tokens, cache in kept:
        fresh = make_prompt_cache(model)
        count = cache[0].offset
        assert count in (len(tokens), len(tokens) + 1)  # the end mark
        model(mx.array(tokens)[None], cache=fresh)
        for ours, theirs in zip(cache, fresh, strict=True):
            wanted, found = theirs.keys[:, :, : len(tokens)], ours.keys[:, :, : len(tokens)]
            assert mx.abs(wanted - found).max().item() < 1e-4
            wanted, found = theirs.values[:, :, : len(tokens)], ours.values[:, :, : len(tokens)]
            assert mx.abs(wanted - found).max().item() < 1e-4


def test_the_longest_prefix_is_found_and_what_was_not_used_makes_room(
    loaded: runtime.LoadedModels,
) -> None:
    batch = ContinuousBatch(loaded.models[BASE], 1, [2])
    tokens = loaded.tokenizer.encode(SENTENCES[0] + SENTENCES[1])
    whole = batch.prefix(tokens)
    one = sum(layer.nbytes for layer in whole.cache)
    cache = PrefixCache(2 * one)
    cache.pin(BASE, batch.prefix(tokens[:10]))
    cache.pin(BASE, batch.prefix(tokens[:20]))
    assert len(found(cache, tokens).tokens) == 20 and cache.find("tuned", tokens) is None
    assert len(found(cache, tokens[:20]).tokens) == 10  # one token is always left to be read
    cache.put(BASE, tokens, whole.cache)
    assert len(found(cache, [*tokens, 9]).tokens) == len(tokens)
    assert len(found(cache, tokens).tokens) == len(tokens) - 1
    assert found(cache, tokens).cache[0].offset == len(tokens) - 1
    for first in (30, 31):
        other = [first, *tokens[1:]]
        cache.put(BASE, other, batch.prefix(other).cache)
    assert len(found(cache, tokens).tokens) == 20  # the pinned one stays
    assert len(found(cache, [31, *tokens[1:], 9]).tokens) == len(tokens)


def found(cache: PrefixCache, prompt: list[int]) -> CachedPrefix:
    prefix = cache.find(BASE, prompt)
    assert prefix is not None
    return prefix


def test_a_conversation_that_goes_on_says_what_it_says_without_a_cache(
    loaded: runtime.LoadedModels,
) -> None:
    plain = MlxEngine(loaded, name="tiny", width=2)
    keeping = MlxEngine(loaded, name="tiny", width=2, cache_bytes=64 << 20)
    turns = ask(SENTENCES[0])
    for sentence in (*SENTENCES, SENTENCES[-1]):
        wanted, said = (texts_of(one, [one.submit(turns, TOKENS, 0)]) for one in (plain, keeping))
        assert said == wanted
        assert texts_of(keeping, [keeping.submit(turns, TOKENS, 0)]) == wanted  # known to its end
        turns = [*turns, {"role": "assistant", "content": said[0]}, *ask(sentence)]


def test_pieces_are_the_text_and_change_nobodys(speaker: MlxEngine) -> None:
    plain = answers(speaker, SENTENCES, GREEDY)
    pieces: list[list[TextPiece]] = [[] for _ in SENTENCES]
    tickets = [
        speaker.submit(ask(text), TOKENS, 0, on_piece=pieces[n].append)
        for n, text in enumerate(SENTENCES)
    ]
    assert texts_of(speaker, tickets) == plain
    for some, text in zip(pieces, plain, strict=True):
        assert "".join(piece.text for piece in some).strip() == text and len(some) > 2
        assert sum(piece.tokens for piece in some) <= TOKENS


def test_a_stop_text_ends_a_request_wherever_the_tokens_are_cut(speaker: MlxEngine) -> None:
    whole = answers(speaker, SENTENCES[:1], GREEDY)[0]
    for size in (1, 3, 8):
        stop = whole[6 : 6 + size]
        sampling = SamplingParams(stop=(stop, "never said"))
        pieces: list[TextPiece] = []
        ticket = speaker.submit(
            ask(SENTENCES[0]), TOKENS, 0, sampling=sampling, on_piece=pieces.append
        )
        (output,) = until_done(speaker)
        assert output.ticket == ticket
        assert (output.finish_reason, output.stop_string) == ("stop", stop)
        assert output.text == whole.partition(stop)[0].strip()
        assert "".join(piece.text for piece in pieces).strip() == output.text
        assert 0 < output.tokens_out < TOKENS


def until_done(engine: MlxEngine) -> list[Any]:
    for _ in range(500):
        if done := engine.step():
            return done
    raise AssertionError("nothing ended")


def test_log_probabilities_are_the_models_before_temperature(
    engine: MlxEngine, loaded: runtime.LoadedModels
) -> None:
    told: list[TokenLogprob] = []
    engine.submit(ask(SENTENCES[1]), 12, 0)  # a neighbour that wants none
    for count in (0, 5):
        told.clear()
        engine.submit(
            ask(SENTENCES[0]),
            12,
            3,
            sampling=SamplingParams(0.9, top_logprobs=count),
            on_piece=lambda piece: told.extend(piece.logprobs),
        )
        drain(engine, {engine.submit(ask(SENTENCES[2]), 30, 0): 0}, lambda number, done: None)
        assert 0 < len(told) <= 12 and all(len(one.top) == count for one in told)
    values = [value for _, value in told[0].top]
    assert values == sorted(values, reverse=True)
    logits = loaded.models[BASE](mx.array(engine.encode(ask(SENTENCES[0])))[None])[0, -1]
    best = (logits - mx.logsumexp(logits)).max().item()
    assert values[0] == pytest.approx(best, abs=1e-4)
    assert all(one.logprob <= one.top[0][1] + 1e-5 for one in told)


def test_a_listener_may_cancel_requests_its_own_among_them(engine: MlxEngine) -> None:
    tickets: list[int] = []

    def cancel_all(piece: TextPiece) -> None:
        for ticket in tickets[:2]:
            engine.cancel(ticket)

    tickets.append(engine.submit(ask(SENTENCES[0]), TOKENS, 0, on_piece=cancel_all))
    tickets += [engine.submit(ask(text), TOKENS, 0) for text in SENTENCES[1:3]]
    (last,) = until_done(engine)
    assert last.ticket == tickets[2]
    assert last.text == answers(engine, [SENTENCES[2]], GREEDY)[0]


def test_a_long_prompt_holds_the_others_up_for_one_piece_at_a_time(
    speaker: MlxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = " ".join(SENTENCES * 3)
    wanted = answers(speaker, [long], GREEDY)[0]
    monkeypatch.setattr(scheduler, "PREFILL_STEP", 16)
    pieces: list[TextPiece] = []
    speaker.submit(ask(SENTENCES[0]), 200, 0, on_piece=pieces.append)
    speaker.step()
    ticket = speaker.submit(ask(long), TOKENS, 5)
    steps = len(speaker.encode(ask(long))) // 16
    assert steps > 6
    for number in range(6):
        speaker.step()
        assert sum(piece.tokens for piece in pieces) >= number - 1  # a piece may wait for a token
    assert texts_of(speaker, [ticket]) == [wanted]


def test_draining_ends_when_told_to_and_cancels_what_is_left(engine: MlxEngine) -> None:
    tickets = {engine.submit(ask(text), 400, 0): n for n, text in enumerate(SENTENCES)}
    looks = iter([False] * 3)
    seen: list[int] = []
    drain(engine, tickets, lambda number, done: seen.append(number), lambda: next(looks, True))
    assert len(seen) < 4 and engine.step() == []
    assert answers(engine, SENTENCES[:1], GREEDY)[0]


@pytest.mark.parametrize(
    "mixtures", [pytest.param(range(12)), pytest.param(range(12, 212), marks=pytest.mark.storm)]
)
def test_any_mixture_of_prefixes_and_rests_says_what_each_says_alone(
    loaded: runtime.LoadedModels, mixtures: range
) -> None:
    model = loaded.models[BASE]
    for seed in mixtures:
        rng = random.Random(seed)
        batch = ContinuousBatch(model, 8, ())
        prefixes = [None, *(batch.prefix(_tokens(rng, size)) for size in (2, 8, 80))]
        # A short rest on the long prefix beside a long rest on the short one, and whatever else.
        mixed = [
            _row(rng, prefixes[3], 1),
            _row(rng, prefixes[1], 70),
            *(_row(rng, rng.choice(prefixes), rng.choice((1, 2, 9, 33))) for _ in range(8)),
        ]
        waiting = list(mixed)
        while waiting or batch.rows:
            room = min(len(waiting), batch.width - len(batch.rows))
            entering = rng.randint(0 if batch.rows else 1, room)
            if entering:  # beside rows that are on their way
                batch.admit([waiting.pop(0) for _ in range(entering)])
            batch.step()
            if len(batch.rows) > 1 and rng.random() < 0.1:  # one that nobody waits for any more
                batch.remove(rng.choice(batch.rows))
        for row in mixed:
            alone = BatchRow(prompt=row.prompt, max_tokens=row.max_tokens, seed=0)
            single = ContinuousBatch(model, 1, ())
            single.admit([alone])
            while single.rows:
                single.step()
            assert alone.tokens[: len(row.tokens)] == row.tokens, f"mixture {seed}"


def _tokens(rng: random.Random, count: int) -> list[int]:
    return [rng.randrange(3, 200) for _ in range(count)]


def _row(rng: random.Random, prefix: CachedPrefix | None, rest: int) -> BatchRow:
    known = prefix.tokens if prefix else []
    return BatchRow(
        prompt=[*known, *_tokens(rng, rest + (not known))],
        max_tokens=rng.randrange(1, 9),
        seed=0,
        prefix=prefix,
    )
