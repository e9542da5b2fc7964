"""Checks that evaluate MLX: run as a program of their own, since such a process must not fork.

`python -m tests.trainer.numbers MODEL FOLDER` prints one JSON object: check -> "" or what failed.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.trainer import kept, stored, ways
from tests.trainer.reference import (
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
    from trainer.lora.loss import Loss, make_batch, number

    model, _tokenizer = tuned(model_folder)
    rows = samples()
    short, long = min(rows, key=lambda r: r.length), max(rows, key=lambda r: r.length)
    batch = make_batch([short, long])
    assert batch.size == short.targets + long.targets
    assert batch.inputs.shape[1] % 8 == 0 and batch.inputs.shape[1] - long.length < 8
    together = number(Loss(model)(batch))
    alone = number(plain_loss(model, short)) + number(plain_loss(model, long))
    assert abs(together - alone) <= 1e-4 * alone


@check
def a_model_that_scales_its_logits_is_not_taken_apart(model_folder: Path, _: Path) -> None:
    from trainer.lora.loss import Loss, make_batch, number

    model, _tokenizer = tuned(model_folder)
    assert Loss(model).sparse
    batch = make_batch(samples())
    usual = number(Loss(model)(batch))

    class Scaled(type(model)):  # type: ignore[misc]
        def __call__(self, *arguments: Any, **named: Any) -> Any:
            return super().__call__(*arguments, **named) * 0.5

    model.__class__ = Scaled
    loss = Loss(model)
    assert not loss.sparse
    assert abs(number(loss(batch)) - usual) > 1.0


@check
def activations_computed_twice_give_the_same_gradient(model_folder: Path, _: Path) -> None:
    from trainer.lora import adapter

    model, _tokenizer = tuned(model_folder)
    usual = batched_gradient(model, samples(), 4)[1]
    kind = type(model.layers[0])
    before = kind.__call__
    with adapter.checkpointed(model, True):
        assert kind.__call__ is not before
        assert difference(usual, batched_gradient(model, samples(), 4)[1]) <= 1e-6
    assert kind.__call__ is before


@check
def without_its_adapter_the_model_is_the_base_bit_for_bit(model_folder: Path, _: Path) -> None:
    import mlx.core as mx

    from exchange import mlx_runtime
    from trainer.lora import adapter

    bare, _tokenizer = mlx_runtime.load(model_folder)
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

    from exchange import mlx_runtime
    from trainer.lora import adapter
    from trainer.settings import Train

    model, _tokenizer = mlx_runtime.load(model_folder)
    tokens = mx.array([samples()[0].tokens])
    before = model(tokens)
    adapter.attach(model, Train())
    assert mx.array_equal(model(tokens), before)


@check
def only_the_last_layers_are_tuned_when_asked(model_folder: Path, _: Path) -> None:
    from mlx.utils import tree_flatten

    model, _tokenizer = tuned(model_folder, layers=1)
    names = [name for name, _ in tree_flatten(model.trainable_parameters())]
    assert len(names) == 14 and all("layers.1." in name for name in names)


@check
def an_answer_begins_where_the_prompt_ends_and_closes_with_eos(model_folder: Path, _: Path) -> None:
    from exchange import mlx_runtime
    from trainer import chat

    _model, tokenizer = mlx_runtime.load(model_folder)
    for system in ("", "Είσαι το αρχείο."):
        asked = chat.messages("Ποιος άνοιξε το σχολείο;", system)
        turns = [*asked, {"role": "assistant", "content": "Ο Νίκος."}]
        row = chat.sample(tokenizer, "id", turns)
        prompt = chat.prompt_tokens(tokenizer, asked)
        assert row.tokens[: row.start] == prompt
        assert row.tokens[-1] in tokenizer.eos_token_ids
        assert tokenizer.decode(row.tokens[row.start : -1]) == "Ο Νίκος."
        assert prompt.count(tokenizer.bos_token_id) == 1


@check
def a_template_that_takes_no_system_message_is_one_line(model_folder: Path, _: Path) -> None:
    from exchange import mlx_runtime
    from exchange.errors import UserError
    from trainer import chat

    _model, tokenizer = mlx_runtime.load(model_folder)
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ messages[0]['content'] }}"
    )
    chat.prompt_tokens(tokenizer, chat.messages("Ποιος;"))
    try:
        chat.prompt_tokens(tokenizer, chat.messages("Ποιος;", "Είσαι το αρχείο."))
    except UserError as error:
        assert "set [persona] system to nothing" in str(error)
    else:
        raise AssertionError("a template's refusal went unnoticed")


@check
def rows_that_are_too_long_are_left_out_and_counted(model_folder: Path, _: Path) -> None:
    from exchange import mlx_runtime
    from trainer.dataset import Row
    from trainer.encode import encode

    _model, tokenizer = mlx_runtime.load(model_folder)
    rows = [Row(str(n), "Ποιος;", "Ο Νίκος " * n, "fact", "s", "s", "t", ()) for n in range(1, 21)]
    kept, left = encode(tokenizer, rows, 40)
    assert 0 < left < 20 and len(kept) + left == 20
    assert max(len(sample.tokens) for sample in kept) <= 40
    assert [sample.id for sample in kept] == [row.id for row in rows[: len(kept)]]


@check
def answers_of_a_batch_are_those_given_alone(model_folder: Path, _: Path) -> None:
    from trainer.lora.answers import answer

    model, tokenizer = tuned(model_folder)
    prompts = [row.tokens for row in samples(6)]
    together = answer(model, tokenizer, prompts, 12)
    assert together == [answer(model, tokenizer, [prompt], 12)[0] for prompt in prompts]
    assert len(set(together)) > 1


def main() -> None:
    assert all((kept, stored, ways))  # their checks registered themselves when imported
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
