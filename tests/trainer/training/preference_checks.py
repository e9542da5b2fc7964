"""Checks of what recipe `preference` learns of a pair; run by `numbers.py`."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.trainer.training.reference import check, difference, plain_loss, samples, tuned

WEIGHT = 0.25


def pairs(count: int = 9) -> list[Any]:
    """Rows of which two in three reject another answer to the same question."""
    from dataclasses import replace

    from trainer.tokenization import TokenizedSample

    rng = random.Random(17)
    made = []
    for number, row in enumerate(samples(count)):
        other = [rng.randint(6, 250) for _ in range(rng.randint(1, 20))]
        rejected = TokenizedSample(row.id, [*row.tokens[: row.start], *other], row.start, 9)
        made.append(replace(row, rejected=rejected) if number % 3 else row)
    return made


def plainly(model: Any, row: Any) -> Any:
    """ORPO of one pair, each answer computed alone."""
    import mlx.core as mx

    nats = plain_loss(model, row)
    if not row.rejected:
        return nats
    one = -nats / row.targets
    other = -plain_loss(model, row.rejected) / row.rejected.targets
    ratio = (one - mx.log(1 - mx.exp(one))) - (other - mx.log(1 - mx.exp(other)))
    return nats - WEIGHT * row.targets * mx.log(mx.sigmoid(ratio))


def grown_in(model: Any, rows: list[Any], size: int, cache: Any = None) -> tuple[Any, Any, int]:
    """Loss, gradient and preferred pairs of a step computed in batches of `size` rows."""
    import mlx.core as mx
    from mlx.utils import tree_map

    from trainer.training import batches
    from trainer.training.loss import Loss, loss_and_gradient, scalar

    loss = Loss(model, cache, preference=WEIGHT)
    compute = loss_and_gradient(loss)
    nats, grown = 0.0, None
    for chosen in batches.epoch_batches([row.length for row in rows], size, 1, 0):
        part, more = compute(loss.batch([rows[i] for i in chosen], learned=True), 1.0)
        grown = tree_map(mx.add, grown, more) if grown else more
        nats += scalar(part)
    return nats, grown, sum(int(one.sum().item()) for one in loss.preferred)


@check
def a_pair_is_learned_as_orpo_has_it_in_any_parts(model_folder: Path, _: Path) -> None:
    import mlx.nn as nn

    from trainer.training.loss import Loss, scalar

    model, _tokenizer = tuned(model_folder)
    rows = pairs()
    expected, reference = nn.value_and_grad(model, lambda: sum(plainly(model, r) for r in rows))()
    likelier = sum(
        scalar(plain_loss(model, row)) / row.targets
        < scalar(plain_loss(model, row.rejected)) / row.rejected.targets
        for row in rows
        if row.rejected
    )
    for size in (1, 4, len(rows)):
        nats, grown, preferred = grown_in(model, rows, size)
        assert abs(nats - scalar(expected)) <= 1e-4 * nats, size
        assert difference(reference, grown) <= 1e-4, size
        assert preferred == likelier, size
    # What is only measured is the answers' own cross-entropy, whatever they reject.
    plain, measured = [Loss(model), Loss(model, preference=WEIGHT)]
    only = [row.rows()[0] for row in rows]
    assert scalar(plain(plain.batch(only))) == scalar(measured(measured.batch(rows)))


@check
def pairs_are_learned_from_the_activation_cache_too(model_folder: Path, folder: Path) -> None:
    from trainer.training.activation_cache import ActivationCache

    model, _tokenizer = tuned(model_folder, layers=1)
    rows = pairs()
    cache = ActivationCache(folder / "pairs", "sha", model, 1)
    needed = cache.bytes_for(rows)
    cache.fill(rows)
    assert cache.added_bytes == needed > 0 == cache.bytes_for(rows)
    nats, grown, preferred = grown_in(model, rows, 4)
    cached, from_cache, again = grown_in(model, rows, 4, cache)
    assert abs(nats - cached) <= 1e-4 * nats and preferred == again
    assert difference(grown, from_cache) <= 1e-4


@check
def what_is_certain_has_finite_odds(model_folder: Path, _: Path) -> None:
    import mlx.core as mx

    from trainer.training.preference import PreferencePairs

    rows = [row for row in pairs() if row.rejected][:1]
    found = PreferencePairs.of(rows)
    assert found is not None and found.size == rows[0].targets

    def margin(nats: Any) -> Any:
        return found.margins(nats).sum()

    nats = mx.zeros(found.size + rows[0].rejected.targets)  # both answers have probability one
    value, slope = mx.value_and_grad(margin)(nats)
    assert value.item() == 0 and mx.isfinite(slope).all()
    sure = mx.concatenate([mx.zeros(found.size), nats[found.size :] + 3.0])
    value, slope = mx.value_and_grad(margin)(sure)
    assert 10 < value.item() < 30 and mx.isfinite(slope).all()
