"""The thread of the models when something goes wrong in it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import UserError
from exchange.inference import runtime
from exchange.inference.engine import BASE, TUNED, TextPiece
from exchange.inference.mlx.engine import MlxEngine
from trainer.abstention import AnswerThreshold
from trainer.serve.inference_thread import InferenceThread, Withholding
from trainer.serve.protocol import ApiError, GenerationEnd, GenerationRequest


def load(folder: Path, loaded: list[Any]) -> MlxEngine:
    model, tokenizer = runtime.load(folder)
    loaded.append(model)
    models = runtime.LoadedModels({BASE: model}, tokenizer, 2048)
    return MlxEngine(models, name="tiny", width=4)


async def answer(
    engine: InferenceThread, tokens: int = 8, model: str = BASE
) -> list[TextPiece | GenerationEnd]:
    asked = GenerationRequest(model, [{"role": "user", "content": "Πότε;"}], tokens)
    return [event async for event in engine.ask(asked)]


def test_a_model_that_fails_fails_its_requests_and_says_so(tiny_model: Path) -> None:
    loaded: list[Any] = []
    engine = InferenceThread(lambda: load(tiny_model, loaded), max_tokens=16, capacity=4)
    engine.start()
    assert isinstance(asyncio.run(answer(engine))[-1], GenerationEnd)
    del loaded[0].model.layers[1].mlp
    with pytest.raises(ApiError) as caught:
        asyncio.run(answer(engine))
    assert caught.value.status == 503 and "the models failed" in str(caught.value)
    engine.wait()
    assert engine.failed and not engine.active
    with pytest.raises(ApiError):
        asyncio.run(answer(engine))


@pytest.mark.parametrize("threshold", [0.0, -1000.0])
def test_an_answer_of_the_tuned_model_comes_whole_or_not_at_all(
    tiny_model: Path, threshold: float
) -> None:
    model, tokenizer = runtime.load(tiny_model)
    models = runtime.LoadedModels({BASE: model, TUNED: model}, tokenizer, 2048)
    kept = AnswerThreshold(threshold, "", 1.0, "", "valid", 20, 10, 12, 10)
    engine = InferenceThread(
        lambda: MlxEngine(models, name="tiny", width=4),
        max_tokens=16,
        capacity=4,
        withhold=Withholding(kept, "Δεν γνωρίζω."),
    )
    engine.start()

    async def both() -> list[list[TextPiece | GenerationEnd]]:
        return await asyncio.gather(answer(engine), answer(engine, model=TUNED))

    base, tuned = asyncio.run(both())
    engine.close()
    texts = [
        "".join(one.text for one in said[:-1] if isinstance(one, TextPiece))
        for said in (base, tuned)
    ]
    assert texts[1] == (texts[0] if threshold else "Δεν γνωρίζω.") and texts[0]
    assert isinstance(tuned[-1], GenerationEnd) and tuned[-1] == base[-1]


def test_a_full_queue_tells_the_next_to_come_again(tiny_model: Path) -> None:
    engine = InferenceThread(lambda: load(tiny_model, []), max_tokens=16, capacity=2)
    engine.start()

    async def three() -> list[Any]:
        return await asyncio.gather(*(answer(engine) for _ in range(3)), return_exceptions=True)

    full = asyncio.run(three())
    engine.close()
    assert sorted(type(one).__name__ for one in full) == ["ApiError", "list", "list"]
    assert next(one for one in full if isinstance(one, ApiError)).code == "overloaded"
    assert engine.broken and not engine.failed


def test_a_model_that_cannot_be_loaded_is_told_at_once(tmp_path: Path) -> None:
    engine = InferenceThread(lambda: load(tmp_path, []), max_tokens=16, capacity=2)
    with pytest.raises(UserError, match=r"config\.json cannot be read"):
        engine.start()
    engine.close()
