"""Checks of the teacher of recipe `distil` and of the loss that follows it; run by `numbers.py`."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.trainer.training.reference import check, difference

TOP = 12


def prompts(groups: int = 4, each: int = 3, chunk: int = 200) -> tuple[list[Any], list[Any]]:
    """Rows as they are taught, and the same after a chunk that each group has in common."""
    from trainer.tokenization import TokenizedSample

    rng = random.Random(5)

    def some(count: int) -> list[int]:
        return [rng.randint(6, 250) for _ in range(count)]

    rows, asked = [], []
    for number in range(groups):
        begins, group = some(chunk + 7 * number), []
        for _ in range(each):
            question, answer = some(rng.randint(4, 20)), some(rng.randint(2, 15))
            name = str(len(rows))
            rows.append(TokenizedSample(name, [*question, *answer], len(question), 9))
            prompt = [*begins, *question]
            group.append(TokenizedSample(name, [*prompt, *answer], len(prompt), 9))
        asked.append(group)
    return rows, asked


def teacher(folder: Path, model_folder: Path, asked: list[Any], **settings: Any) -> tuple[Any, Any]:
    """A teacher of the bare model, and the model with an adapter that is no longer zero."""
    import mlx.core as mx

    from exchange.inference import runtime
    from trainer.training import adapter
    from trainer.training.settings import TrainSettings
    from trainer.training.teacher import Teacher

    model, _tokenizer = runtime.load(model_folder)
    chosen = TrainSettings(distil_top=TOP, **settings)
    made = Teacher(folder, "sha", model, asked, chosen)
    adapter.attach(model, chosen)
    for _, module in model.named_modules():
        if "lora_b" in module:
            module.lora_b = mx.random.normal(module.lora_b.shape) * 0.05
    mx.eval(model.parameters())
    return made, model


@check
def the_teacher_is_the_base_alone_with_the_chunk_in_its_prompt(
    model_folder: Path, folder: Path
) -> None:
    import mlx.core as mx

    from exchange.inference import runtime

    bare, _tokenizer = runtime.load(model_folder)
    for name, chunk in (("long", 200), ("short", 3)):  # computed once for all rows, and for each
        rows, asked = prompts(chunk=chunk)
        made, _model = teacher(folder / name, model_folder, asked)
        made.fill(rows)
        said = made.targets(rows)
        first = 0
        for row in [row for group in asked for row in group]:
            logits = bare(mx.array([row.tokens[:-1]]))[0, row.start - 1 :].astype(mx.float32)
            plain = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
            kept = slice(first, first + row.targets)
            assert mx.allclose(
                mx.take_along_axis(plain, said.ids[kept], axis=-1), said.logprobs[kept], atol=1e-4
            )
            best = mx.sort(plain, axis=-1)[:, -TOP:]
            assert mx.allclose(best, mx.sort(said.logprobs[kept], axis=-1), atol=1e-4)
            first += row.targets


@check
def the_loss_is_the_divergence_from_the_teacher_mixed_with_the_answer(
    model_folder: Path, folder: Path
) -> None:
    import mlx.core as mx
    import mlx.nn as nn

    from trainer.training.loss import Loss, loss_and_gradient, scalar

    rows, asked = prompts(groups=2)
    made, model = teacher(folder, model_folder, asked[:1], distil_mix=0.25)
    made.fill(rows)
    loss = Loss(model, teacher=made)
    said = made.targets(rows[:3])

    def plainly() -> Any:
        whole, at = mx.array(0.0), 0
        for row in rows:
            logits = model(mx.array([row.tokens[:-1]]))[0, row.start - 1 :]
            logprobs = nn.log_softmax(logits, axis=-1)
            answer = mx.array(row.tokens[row.start :])
            plain = -mx.take_along_axis(logprobs, answer[:, None], axis=-1).sum()
            if int(row.id) >= 3:  # no chunk: the answer alone
                whole = whole + plain
                continue
            ids, wanted = said.ids[at : at + row.targets], said.logprobs[at : at + row.targets]
            at += row.targets
            apart = mx.array(0.0)
            for place in range(row.targets):
                kept = mx.take(logprobs[place], ids[place])
                rest = 1 - mx.exp(wanted[place]).sum()
                others = 1 - mx.exp(kept).sum()
                apart = apart + (mx.exp(wanted[place]) * (wanted[place] - kept)).sum()
                apart = apart + rest * mx.log(rest / others)
            whole = whole + 0.75 * plain + 0.25 * apart
        return whole

    expected, reference = nn.value_and_grad(model, plainly)()
    nats, grown = loss_and_gradient(loss)(loss.batch(rows, learned=True), 1.0)
    assert abs(scalar(nats) - scalar(expected)) <= 1e-3 * scalar(expected)
    assert difference(reference, grown) <= 1e-3
    # What is only measured is the answers' own cross-entropy, whatever the teacher says.
    assert scalar(loss(loss.batch(rows))) == scalar(Loss(model)(Loss(model).batch(rows)))


@check
def a_student_that_is_the_teacher_has_nothing_to_learn(model_folder: Path, folder: Path) -> None:
    from mlx.utils import tree_flatten

    from exchange.inference import runtime
    from trainer.training import adapter
    from trainer.training.loss import Loss, loss_and_gradient, scalar
    from trainer.training.settings import TrainSettings
    from trainer.training.teacher import Teacher

    rows, _ = prompts()
    model, _tokenizer = runtime.load(model_folder)
    settings = TrainSettings(distil_mix=1.0, distil_top=TOP)
    same = Teacher(folder, "sha", model, [rows], settings)  # asked without a chunk
    adapter.attach(model, settings)
    same.fill(rows)
    loss = Loss(model, teacher=same)
    nats, grown = loss_and_gradient(loss)(loss.batch(rows, learned=True), 1.0)
    assert abs(scalar(nats)) <= 1e-4
    assert max(float(abs(array).max().item()) for _, array in tree_flatten(grown)) <= 1e-3


@check
def a_teacher_that_was_stopped_ends_with_the_same_bytes(model_folder: Path, folder: Path) -> None:
    from exchange.errors import Stopped

    rows, asked = prompts(groups=8, each=2, chunk=300)
    whole, _model = teacher(folder / "whole", model_folder, asked)
    whole.fill(rows)
    for row in rows:  # in other company, and stopped after every batch
        parts, _model = teacher(folder / "parts", model_folder, asked)
        try:
            parts.fill([row, rows[0]], stop=lambda: True)
        except Stopped as stopped:
            assert "the same command goes on" in str(stopped)
    one, other = (made.targets(rows) for made in (whole, parts))
    assert one.ids.tolist() == other.ids.tolist()
    assert one.logprobs.tolist() == other.logprobs.tolist()
    again, _model = teacher(folder / "parts", model_folder, asked)
    assert again.bytes_for(rows) == 0 and again.added_bytes == 0
    other_top, _model = teacher(folder / "parts", model_folder, asked[1:])
    assert other_top.bytes_for(rows[:2]) == 0 and other_top.targets(rows[:2]) is None


@check
def the_activation_cache_may_be_used_beside_the_teacher(model_folder: Path, folder: Path) -> None:
    from trainer.training.activation_cache import ActivationCache
    from trainer.training.loss import Loss, loss_and_gradient, scalar

    rows, asked = prompts()
    made, model = teacher(folder / "teacher", model_folder, asked, layers=1)
    made.fill(rows)
    cache = ActivationCache(folder / "trunk", "sha", model, 1)
    cache.fill(rows)
    plain, cached = Loss(model, teacher=made), Loss(model, cache, teacher=made)
    nats, grown = loss_and_gradient(plain)(plain.batch(rows, learned=True), 1.0)
    others, from_cache = loss_and_gradient(cached)(cached.batch(rows, learned=True), 1.0)
    assert abs(scalar(nats) - scalar(others)) <= 1e-4 * scalar(nats)
    assert difference(grown, from_cache) <= 1e-4
