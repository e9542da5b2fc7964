"""The mlx engine: batched, greedy text is the text of one request alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.engine import Engine, Finished
from exchange.errors import UserError
from tests.conftest import SENTENCES
from workers.engines.mlx import MlxEngine
from workers.prompts import load

TOKENS = 24


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> MlxEngine:
    return MlxEngine(tiny_model, name="tiny", width=4)


def ask(text: str) -> list[dict[str, str]]:
    return load("el/chunk-brief").messages("Φωνή, 5/1/2008, Τίτλος", text)


def run(engine: MlxEngine, texts: list[str]) -> dict[int, Finished]:
    tickets = {engine.submit(ask(text), TOKENS, 0): number for number, text in enumerate(texts)}
    done: dict[int, Finished] = {}
    for _ in range(5000):
        for finished in engine.step():
            done[tickets[finished.ticket]] = finished
        if len(done) == len(texts):
            return done
    raise AssertionError(f"only {len(done)} of {len(texts)} ended")


def alone(tiny_model: Path, text: str) -> str:
    """The peer: mlx-lm's own generation, one request at a time."""
    from mlx_lm import stream_generate
    from mlx_lm.utils import load as load_model

    model, tokenizer = load_model(str(tiny_model))[:2]
    prompt = tokenizer.apply_chat_template(ask(text), add_generation_prompt=True)
    replies = list(stream_generate(model, tokenizer, prompt, max_tokens=TOKENS))
    ended = replies[-1].finish_reason == "stop"
    return tokenizer.decode([reply.token for reply in replies[: -1 if ended else None]]).strip()


def test_a_batch_with_a_shared_prefix_says_what_each_request_says_alone(
    engine: MlxEngine, tiny_model: Path
) -> None:
    texts = [sentence * (1 + number % 3) for number, sentence in enumerate(SENTENCES * 3)]
    without = run(engine, texts)
    assert engine.share_prefix(ask("α"), ask("1")) > 8
    shared = run(engine, texts)
    assert [shared[n].text for n in range(12)] == [without[n].text for n in range(12)]
    assert [shared[n].text for n in range(3)] == [alone(tiny_model, texts[n]) for n in range(3)]
    assert all(one.tokens_in > 20 and one.tokens_out <= TOKENS for one in shared.values())


def test_a_cancelled_request_never_ends_and_holds_nobody_up(engine: MlxEngine) -> None:
    gone = engine.submit(ask(SENTENCES[0]), TOKENS, 0)
    engine.step()
    engine.cancel(gone)
    assert set(run(engine, [SENTENCES[1]])) == {0}


def test_a_prompt_longer_than_the_context_is_refused(engine: MlxEngine) -> None:
    with pytest.raises(ValueError, match="context"):
        engine.submit(ask(SENTENCES[0] * 400), TOKENS, 0)


def test_it_is_an_engine_and_says_what_it_is(engine: MlxEngine) -> None:
    assert isinstance(engine, Engine)
    description = engine.describe()
    assert (description.engine, description.model, description.width) == ("mlx", "tiny", 4)


def test_a_folder_without_a_tokenizer_is_one_line(tiny_model: Path, tmp_path: Path) -> None:
    from exchange.models import Model, locate

    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_model / name).read_bytes())
    with pytest.raises(UserError, match="no tokenizer") as caught:
        locate(Model(name=str(tmp_path)), tmp_path, lambda _: False)
    assert "\n" not in str(caught.value)
