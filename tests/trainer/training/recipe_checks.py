"""Checks of the recipes' arithmetic and of losses over some tokens only; run by `numbers.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.trainer.training.reference import (
    batched_gradient,
    check,
    difference,
    plain_loss,
    samples,
    tuned,
)


@check
def a_model_is_attached_anew_as_if_it_were_fresh(model_folder: Path, _: Path) -> None:
    from trainer.training import adapter
    from trainer.training.settings import TrainSettings

    used, _tokenizer = tuned(model_folder)
    fresh, _tokenizer = tuned(model_folder)
    for model in (used, fresh):
        adapter.detach(model)
        adapter.attach(model, TrainSettings(rank=4, recipe="dora", layers=1))
    rows = samples()
    assert difference(batched_gradient(used, rows, 4)[1], batched_gradient(fresh, rows, 4)[1]) == 0


@check
def gradients_of_dora_and_of_whole_layers_are_those_of_plain_rows(
    model_folder: Path, _: Path
) -> None:
    import mlx.nn as nn

    for recipe in ("dora", "full"):
        model, _tokenizer = tuned(model_folder, recipe=recipe, layers=1)
        rows = samples()
        targets = sum(row.targets for row in rows)

        def mean(model: Any = model, rows: Any = rows, targets: int = targets) -> Any:
            return sum(plain_loss(model, row) for row in rows) / targets

        loss, reference = nn.value_and_grad(model, mean)()
        nats, grown = batched_gradient(model, rows, 4)
        assert abs(nats / targets - float(loss.item())) <= 1e-5, recipe
        assert difference(reference, grown) <= 1e-5, recipe


@check
def a_small_step_of_bfloat16_weights_is_not_lost(model_folder: Path, folder: Path) -> None:
    import mlx.core as mx
    import mlx.optimizers as optim
    from mlx_lm.tuner.utils import load_adapters

    from exchange.inference import runtime
    from trainer.training import adapter
    from trainer.training.settings import TrainSettings

    model, _tokenizer = runtime.load(model_folder)
    model.set_dtype(mx.bfloat16)
    config = adapter.attach(model, TrainSettings(recipe="full", layers=1))
    before = model.layers[1].mlp.up_proj.weight
    gradients = batched_gradient(model, samples(), 4)[1]
    optimizer = optim.AdamW(learning_rate=2e-5, weight_decay=0.0, bias_correction=True)
    optimizer.update(model, gradients)
    moved = model.layers[1].mlp.up_proj.weight
    assert float((moved != before).astype(mx.float32).mean().item()) > 0.99
    adapter.save(folder, model, config)
    reader, _tokenizer = runtime.load(model_folder)
    reader.set_dtype(mx.bfloat16)
    load_adapters(reader, str(folder))
    assert reader.layers[1].mlp.up_proj.weight.dtype == mx.bfloat16
    assert mx.array_equal(reader.layers[1].mlp.up_proj.weight, moved.astype(mx.bfloat16))


@check
def an_adapter_of_another_model_is_one_short_line(model_folder: Path, folder: Path) -> None:
    from exchange.errors import UserError
    from exchange.inference import runtime
    from exchange.inference.mlx.base_and_adapter import load_models
    from tools.tiny_model import make_tiny_model
    from trainer.training import adapter
    from trainer.training.settings import TrainSettings

    other = make_tiny_model(folder / "other", ["Άλλο μοντέλο."], hidden=32)
    model, _tokenizer = runtime.load(other)
    adapter.save(folder / "adapter", model, adapter.attach(model, TrainSettings()))
    try:
        load_models(model_folder, folder / "adapter")
    except UserError as error:
        assert "adapter" in str(error) and len(str(error)) < 600 + len(str(folder)) * 3
        assert "and 27 more" in str(error)
    else:
        raise AssertionError("an adapter of another model was loaded")


@check
def a_loss_among_some_tokens_sees_no_others(model_folder: Path, _: Path) -> None:
    import mlx.core as mx

    from trainer.tokenization import TokenizedSample
    from trainer.training.loss import Loss, loss_and_gradient, scalar

    model, _tokenizer = tuned(model_folder)
    digits = [41, 40, 44, 43, 42]
    rows = [
        TokenizedSample(str(n), [*row.tokens[:-1], digits[n % 5]], len(row.tokens) - 1, 1)
        for n, row in enumerate(samples())
    ]
    loss = Loss(model, among=digits)
    expected = 0.0
    for row in rows:
        logits = model(mx.array([row.tokens[:-1]]))[0, -1]
        chosen = logits[mx.array(digits)]
        right = logits[row.tokens[-1]]
        expected += scalar(mx.logsumexp(chosen) - right)
    assert abs(scalar(loss(loss.batch(rows))) - expected) <= 1e-4 * expected
    assert scalar(Loss(model)(loss.batch(rows))) > expected
    nats, grown = loss_and_gradient(loss)(loss.batch(rows), 1.0)
    assert scalar(nats) > 0 and difference(grown, grown) == 0
