"""The mlx engine: batched, the text is the text of one request alone."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from exchange.errors import UserError
from exchange.inference.engine import Engine, LikelihoodEngine, RequestOutput, SamplingParams
from exchange.inference.mlx.engine import MlxEngine
from exchange.recipes.prompts import load_prompt
from tests.conftest import SENTENCES
from tools.tiny_model import make_tiny_model

TOKENS = 24


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> MlxEngine:
    return MlxEngine(tiny_model, name="tiny", width=4)


def ask(text: str) -> list[dict[str, str]]:
    return load_prompt("el/chunk-brief").messages("Φωνή, 5/1/2008, Τίτλος", text)


def run(engine: MlxEngine, texts: list[str]) -> dict[int, RequestOutput]:
    tickets = {engine.submit(ask(text), TOKENS, 0): number for number, text in enumerate(texts)}
    return {tickets[ticket]: done for ticket, done in until_done(engine, tickets).items()}


def until_done(engine: MlxEngine, tickets: Iterable[int]) -> dict[int, RequestOutput]:
    open_ones = set(tickets)
    done: dict[int, RequestOutput] = {}
    for _ in range(5000):
        done |= {finished.ticket: finished for finished in engine.step()}
        if open_ones <= set(done):
            return done
    raise AssertionError(f"{open_ones - set(done)} never ended")


def alone(tiny_model: Path, texts: list[str], limits: Iterable[int]) -> list[str]:
    """The peer: mlx-lm's own generation, one request at a time."""
    from mlx_lm import stream_generate
    from mlx_lm.utils import load as load_model

    model, tokenizer = load_model(str(tiny_model))[:2]
    said = []
    for text, limit in zip(texts, limits, strict=True):
        prompt = tokenizer.apply_chat_template(ask(text), add_generation_prompt=True)
        replies = list(stream_generate(model, tokenizer, prompt, max_tokens=limit))
        ended = replies[-1].finish_reason == "stop"
        tokens = [reply.token for reply in replies[: -1 if ended else None]]
        said.append(tokenizer.decode(tokens).strip())
    return said


def test_a_batch_with_a_shared_prefix_says_what_each_request_says_alone(
    engine: MlxEngine, tiny_model: Path
) -> None:
    texts = [sentence * (1 + number % 3) for number, sentence in enumerate(SENTENCES * 3)]
    without = run(engine, texts)
    assert engine.share_prefix(ask("α"), ask("1")) > 8
    shared = run(engine, texts)
    assert [shared[n].text for n in range(12)] == [without[n].text for n in range(12)]
    assert [shared[n].text for n in range(3)] == alone(tiny_model, texts[:3], [TOKENS] * 3)
    assert all(one.tokens_in > 20 and one.tokens_out <= TOKENS for one in shared.values())


def test_rows_that_join_and_leave_at_any_time_change_nobodys_text(tiny_model: Path) -> None:
    engine = MlxEngine(tiny_model, name="tiny", width=3)
    luck = random.Random(5)
    texts = [SENTENCES[n % 4] * luck.randint(1, 4) for n in range(12)]
    limits = [luck.choice((1, 7, 40, 300)) for _ in texts]  # beyond one stretch of columns too
    assert {1, 300} <= set(limits)
    tickets: list[int] = []
    done: dict[int, RequestOutput] = {}
    for text, limit in zip(texts, limits, strict=True):
        tickets.append(engine.submit(ask(text), limit, 0))
        for _ in range(luck.randint(0, 20)):
            done |= {finished.ticket: finished for finished in engine.step()}
    gone = engine.submit(ask(SENTENCES[1]), 300, 0)
    for _ in range(30):
        done |= {finished.ticket: finished for finished in engine.step()}
    engine.cancel(gone)
    done |= until_done(engine, set(tickets) - set(done))
    assert [done[ticket].text for ticket in tickets] == alone(tiny_model, texts, limits)
    assert all(done[one].tokens_out <= most for one, most in zip(tickets, limits, strict=True))
    assert gone not in done


def test_layers_with_a_sliding_window_are_batched_beside_plain_ones(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "model", SENTENCES * 4, layers=3)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    config |= {"model_type": "llama", "sliding_window": 48, "layer_types": kinds}
    (folder / "config.json").write_text(json.dumps(config))
    engine = MlxEngine(folder, name="tiny", width=3)
    engine.share_prefix(ask("α"), ask("1"))
    texts = [SENTENCES[n % 4] * (1 + n % 3) for n in range(8)]
    limits = [5, 60, 30, 120, 9, 40, 100, 20]
    tickets = [engine.submit(ask(texts[n]), limits[n], 0) for n in range(8)]
    done = until_done(engine, tickets)
    assert [done[ticket].text for ticket in tickets] == alone(folder, texts, limits)


def test_a_sampled_text_is_the_same_alone_among_others_in_any_order_and_after_a_restart(
    tiny_model: Path,
) -> None:
    def sampling() -> MlxEngine:
        return MlxEngine(tiny_model, name="tiny", width=4, sampling=SamplingParams(0.8, 0.9))

    def said(engine: MlxEngine, numbers: list[int]) -> dict[int, str]:
        tickets = {engine.submit(ask(SENTENCES[n % 4]), TOKENS, 1000 + n): n for n in numbers}
        done = until_done(engine, tickets)
        return {tickets[ticket]: finished.text for ticket, finished in done.items()}

    first = sampling()
    together = said(first, [0, 1, 2, 3])
    assert said(first, [2]) == {2: together[2]}
    assert said(first, [3, 2, 1, 0]) == together
    assert {n: said(first, [7, 6, 2, 5, 4, 9, 8])[n] for n in [2]} == {2: together[2]}
    first.close()
    restarted = sampling()
    restarted.share_prefix(ask("α"), ask("1"))
    assert said(restarted, [1, 2]) == {n: together[n] for n in (1, 2)}
    assert said(restarted, [4])[4] != together[0]  # the same question with another seed


def test_the_smallest_nucleus_is_greedy_decoding(engine: MlxEngine, tiny_model: Path) -> None:
    narrow = MlxEngine(tiny_model, name="tiny", width=4, sampling=SamplingParams(0.5, 1e-6))
    texts = list(SENTENCES)
    greedy, sampled = run(engine, texts), run(narrow, texts)
    assert [sampled[n].text for n in range(4)] == [greedy[n].text for n in range(4)]


def test_a_request_beyond_its_deadline_ends_with_what_it_has(tiny_model: Path) -> None:
    engine = MlxEngine(tiny_model, name="tiny", width=2, deadline_s=0.3)
    tickets = [engine.submit(ask(SENTENCES[n]), 1800, 0) for n in range(3)]
    done = until_done(engine, tickets)
    assert {done[ticket].finish_reason for ticket in tickets} == {"deadline"}
    assert all(0 < done[ticket].tokens_out < 1800 for ticket in tickets)
    assert all(done[ticket].text for ticket in tickets)


def test_a_cancelled_request_never_ends_and_holds_nobody_up(engine: MlxEngine) -> None:
    gone = engine.submit(ask(SENTENCES[0]), TOKENS, 0)
    engine.step()
    engine.cancel(gone)
    assert set(run(engine, [SENTENCES[1]])) == {0}


def test_a_prompt_longer_than_the_context_is_refused(engine: MlxEngine) -> None:
    with pytest.raises(ValueError, match="context"):
        engine.submit(ask(SENTENCES[0] * 400), TOKENS, 0)


def test_likelihoods_are_those_of_one_answer_read_alone(
    engine: MlxEngine, tiny_model: Path
) -> None:
    import mlx.core as mx

    from exchange.inference import chat_template, runtime

    asked = [ask(SENTENCES[0])] * 3 + [ask(SENTENCES[1])] * 2
    answers = [SENTENCES[1], "Η γέφυρα.", "240.000 ευρώ", SENTENCES[0], "Όχι."]
    found = engine.loglikelihood(asked, answers)
    model, tokenizer = runtime.load(tiny_model)
    for prompt, answer, one in zip(asked, answers, found, strict=True):
        turns = [*prompt, {"role": "assistant", "content": answer}]
        tokens, start = chat_template.encode_conversation(tokenizer, turns)
        logits = model(mx.array(tokens[:-1])[None])[0, start - 1 :]
        logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
        alone = sum(logprobs[i, token].item() for i, token in enumerate(tokens[start:]))
        assert one.logprob == pytest.approx(alone, rel=1e-4)
        assert one.tokens == len(tokens) - start and one.mean == one.logprob / one.tokens


def test_it_is_an_engine_and_says_what_it_is(engine: MlxEngine) -> None:
    assert isinstance(engine, Engine) and isinstance(engine, LikelihoodEngine)
    description = engine.describe()
    assert (description.engine, description.model, description.width) == ("mlx", "tiny", 4)


def test_a_folder_without_a_tokenizer_is_one_line(tiny_model: Path, tmp_path: Path) -> None:
    from exchange.inference.models import ModelSettings, locate

    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_model / name).read_bytes())
    with pytest.raises(UserError, match="no tokenizer") as caught:
        locate(ModelSettings(name=str(tmp_path)), tmp_path, lambda _: False)
    assert "\n" not in str(caught.value)
