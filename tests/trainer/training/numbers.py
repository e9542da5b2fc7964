"""Checks that evaluate MLX: run as a program of their own, since such a process must not fork.

`python -m tests.trainer.training.numbers MODEL FOLDER` prints one JSON object: check -> "" or
what failed.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.trainer.training import (
    cache_checks,
    distil_checks,
    file_checks,
    preference_checks,
    recipe_checks,
)
from tests.trainer.training.reference import (
    CHECKS,
    batched_gradient,
    check,
    difference,
    plain_loss,
    samples,
    tuned,
)


@check
def the_gradient_of_batches_is_that_of_plain_single_rows(model_folder: Path, _: Path) -> None:
    import mlx.nn as nn
    from mlx.utils import tree_flatten

    model, _tokenizer = tuned(model_folder)
    rows = samples()
    targets = sum(row.targets for row in rows)
    reference = nn.value_and_grad(
        model, lambda: sum(plain_loss(model, row) for row in rows) / targets
    )
    loss, gradients = reference()
    assert len(tree_flatten(gradients)) == 2 * 7 * 2  # a and b, seven linear layers, two blocks
    for size in (1, 4, 13):
        nats, grown = batched_gradient(model, rows, size)
        assert abs(nats / targets - float(loss.item())) <= 1e-5, size
        assert difference(gradients, grown) <= 1e-5, size


@check
def no_pad_and_no_prompt_is_counted(model_folder: Path, _: Path) -> None:
    from trainer.training.batches import make_batch
    from trainer.training.loss import Loss, scalar

    model, _tokenizer = tuned(model_folder)
    rows = samples()
    short, long = min(rows, key=lambda r: r.length), max(rows, key=lambda r: r.length)
    batch = make_batch([short, long])
    assert batch.size == short.targets + long.targets
    assert batch.inputs.shape[1] % 8 == 0 and batch.inputs.shape[1] - long.length < 8
    together = scalar(Loss(model)(batch))
    alone = scalar(plain_loss(model, short)) + scalar(plain_loss(model, long))
    assert abs(together - alone) <= 1e-4 * alone


@check
def a_model_that_scales_its_logits_is_not_taken_apart(model_folder: Path, _: Path) -> None:
    from trainer.training.batches import make_batch
    from trainer.training.loss import Loss, scalar

    model, _tokenizer = tuned(model_folder)
    assert Loss(model).sparse
    batch = make_batch(samples())
    usual = scalar(Loss(model)(batch))

    class Scaled(type(model)):  # type: ignore[misc]
        def __call__(self, *arguments: Any, **named: Any) -> Any:
            return super().__call__(*arguments, **named) * 0.5

    model.__class__ = Scaled
    loss = Loss(model)
    assert not loss.sparse
    assert abs(scalar(loss(batch)) - usual) > 1.0


@check
def activations_computed_twice_give_the_same_gradient(model_folder: Path, _: Path) -> None:
    from trainer.training import adapter

    model, _tokenizer = tuned(model_folder)
    usual = batched_gradient(model, samples(), 4)[1]
    kind = type(model.layers[0])
    before = kind.__call__
    with adapter.gradient_checkpointing(model, True):
        assert kind.__call__ is not before
        assert difference(usual, batched_gradient(model, samples(), 4)[1]) <= 1e-6
    assert kind.__call__ is before


@check
def without_its_adapter_the_model_is_the_base_bit_for_bit(model_folder: Path, _: Path) -> None:
    import mlx.core as mx

    from exchange.inference import runtime
    from trainer.training import adapter

    bare, _tokenizer = runtime.load(model_folder)
    tokens = mx.array([samples()[0].tokens])
    for recipe in ("sft", "dora"):
        model, _tokenizer = tuned(model_folder, recipe=recipe)
        assert not mx.array_equal(model(tokens), bare(tokens))
        assert adapter.detach(model)
        assert mx.array_equal(model(tokens), bare(tokens))
        assert not adapter.detach(model)


@check
def a_fresh_adapter_changes_nothing(model_folder: Path, _: Path) -> None:
    import mlx.core as mx

    from exchange.inference import runtime
    from trainer.training import adapter
    from trainer.training.settings import TrainSettings

    model, _tokenizer = runtime.load(model_folder)
    tokens = mx.array([samples()[0].tokens])
    before = model(tokens)
    adapter.attach(model, TrainSettings())
    assert mx.array_equal(model(tokens), before)


@check
def only_the_last_layers_are_tuned_when_asked(model_folder: Path, _: Path) -> None:
    from mlx.utils import tree_flatten

    model, _tokenizer = tuned(model_folder, layers=1)
    names = [name for name, _ in tree_flatten(model.trainable_parameters())]
    assert len(names) == 14 and all("layers.1." in name for name in names)


@check
def an_answer_begins_where_the_prompt_ends_and_closes_with_eos(model_folder: Path, _: Path) -> None:
    from exchange.inference import runtime
    from trainer import tokenization

    _model, tokenizer = runtime.load(model_folder)
    for system in ("", "Είσαι το αρχείο."):
        asked = tokenization.chat_messages("Ποιος άνοιξε το σχολείο;", system)
        turns = [*asked, {"role": "assistant", "content": "Ο Νίκος."}]
        row = tokenization.tokenize_sample(tokenizer, "id", turns)
        prompt = tokenization.prompt_tokens(tokenizer, asked)
        assert row.tokens[: row.start] == prompt
        assert row.tokens[-1] in tokenizer.eos_token_ids
        assert tokenizer.decode(row.tokens[row.start : -1]) == "Ο Νίκος."
        assert prompt.count(tokenizer.bos_token_id) == 1


@check
def a_template_that_takes_no_system_message_is_one_line(model_folder: Path, _: Path) -> None:
    from exchange.errors import UserError
    from exchange.inference import runtime
    from trainer import tokenization

    _model, tokenizer = runtime.load(model_folder)
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ messages[0]['content'] }}"
    )
    tokenization.prompt_tokens(tokenizer, tokenization.chat_messages("Ποιος;"))
    try:
        tokenization.prompt_tokens(
            tokenizer, tokenization.chat_messages("Ποιος;", "Είσαι το αρχείο.")
        )
    except UserError as error:
        assert "set [persona] system to nothing" in str(error)
    else:
        raise AssertionError("a template's refusal went unnoticed")


@check
def rows_that_are_too_long_are_left_out_and_counted(model_folder: Path, _: Path) -> None:
    from exchange.inference import runtime
    from trainer.dataset import DatasetRow
    from trainer.tokenization import encode_rows

    _model, tokenizer = runtime.load(model_folder)
    rows = [
        DatasetRow(str(n), "Ποιος;", "Ο Νίκος " * n, "fact", "s", "s", "t", ())
        for n in range(1, 21)
    ]
    kept, left = encode_rows(tokenizer, rows, 40)
    assert 0 < left < 20 and len(kept) + left == 20
    assert max(len(sample.tokens) for sample in kept) <= 40
    assert [sample.id for sample in kept] == [row.id for row in rows[: len(kept)]]


@check
def answers_of_a_batch_are_those_given_alone(model_folder: Path, _: Path) -> None:
    from exchange.inference.mlx.engine import generate_texts

    model, tokenizer = tuned(model_folder)
    prompts = [row.tokens for row in samples(6)]
    together = generate_texts(model, tokenizer, prompts, 12)
    assert together == [generate_texts(model, tokenizer, [prompt], 12)[0] for prompt in prompts]
    assert len(set(together)) > 1


def main() -> None:
    assert all(
        (cache_checks, distil_checks, file_checks, preference_checks, recipe_checks)
    )  # their checks registered themselves when imported
    model_folder, folder = Path(sys.argv[1]), Path(sys.argv[2])
    found = {}
    for function in CHECKS:
        place = folder / function.__name__
        place.mkdir(parents=True)
        try:
            function(model_folder, place)
            found[function.__name__] = ""
        except Exception:
            found[function.__name__] = traceback.format_exc()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
