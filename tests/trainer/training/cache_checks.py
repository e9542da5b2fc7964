"""Checks of the frozen layers and their cache; run by `numbers.py`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from tests.trainer.training.reference import batched_gradient, check, difference, samples, tuned

# Bodies that scale embeddings, mix sliding and full attention, norm otherwise, or share none of
# it with a Mistral: the cache has to see the same as they do, or refuse.
OTHERS: dict[str, dict[str, Any]] = {
    "gemma2": {"head_dim": 16},
    "gemma3_text": {"sliding_window": 8, "sliding_window_pattern": 2, "num_hidden_layers": 4},
    "qwen3": {
        "head_dim": 16,
        "max_position_embeddings": 512,
        "rope_theta": 1e4,
        "tie_word_embeddings": True,
    },
    "phi3": {
        "rope_theta": 1e4,
        "max_position_embeddings": 512,
        "original_max_position_embeddings": 512,
    },
    "llama": {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8},
}


def another(name: str) -> Any:
    """A small random model of another kind."""
    import mlx.core as mx

    kind = importlib.import_module(f"mlx_lm.models.{name}")
    sizes = {
        "model_type": name,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 96,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "vocab_size": 256,
    }
    mx.random.seed(1)
    model = kind.Model(kind.ModelArgs.from_dict({**sizes, **OTHERS[name]}))
    mx.eval(model.parameters())
    return model


def cached_gradient(model: Any, rows: list[Any], size: int, cache: Any) -> tuple[float, Any]:
    from mlx.utils import tree_map

    from trainer.training import batches
    from trainer.training.loss import Loss, loss_and_gradient, scalar

    loss = Loss(model, cache)
    compute = loss_and_gradient(loss)
    targets = sum(row.targets for row in rows)
    nats, grown = 0.0, None
    for chosen in batches.epoch_batches([row.length for row in rows], size, 1, 0):
        part, more = compute(loss.batch([rows[i] for i in chosen]), 1 / targets)
        grown = tree_map(lambda a, b: a + b, grown, more) if grown else more
        nats += scalar(part)
    return nats, grown


@check
def loss_and_gradient_are_the_same_from_the_cache(model_folder: Path, folder: Path) -> None:
    from trainer.training.activation_cache import ActivationCache

    for recipe in ("sft", "dora", "full"):
        model, _tokenizer = tuned(model_folder, layers=1, recipe=recipe)
        rows = samples()
        cache = ActivationCache(folder / recipe, "sha", model, 1)
        cache.fill(rows)
        for size in (1, 4, 13):
            nats, plain = batched_gradient(model, rows, size)
            others, cached = cached_gradient(model, rows, size, cache)
            assert abs(nats - others) <= 1e-5 * nats, (recipe, size)
            assert difference(plain, cached) <= 1e-5, (recipe, size)


@check
def nothing_below_the_tuned_layers_is_computed_again(model_folder: Path, folder: Path) -> None:
    import mlx.core as mx

    from trainer.training.activation_cache import ActivationCache
    from trainer.training.loss import Loss, scalar

    model, _tokenizer = tuned(model_folder, layers=1)
    cache = ActivationCache(folder, "sha", model, 1)
    cache.fill(samples())
    loss = Loss(model, cache)
    usual = scalar(loss(loss.batch(samples())))
    below = model.layers[0].mlp.down_proj
    below.weight = mx.full(below.weight.shape, float("nan"))
    assert scalar(loss(loss.batch(samples()))) == usual


@check
def other_bodies_are_taken_apart_too(_: Path, folder: Path) -> None:
    from trainer.training import adapter
    from trainer.training.activation_cache import ActivationCache
    from trainer.training.settings import TrainSettings

    for name in OTHERS:
        model = another(name)
        layers = len(model.layers) // 2
        adapter.attach(model, TrainSettings(layers=layers))
        rows = samples(5)
        cache = ActivationCache(folder / name, "sha", model, layers)
        cache.fill(rows)
        plain = batched_gradient(model, rows, 5)
        cached = cached_gradient(model, rows, 5, cache)
        assert abs(plain[0] - cached[0]) <= 1e-5 * plain[0], name
        assert difference(plain[1], cached[1]) <= 1e-5, name


@check
def a_model_that_cannot_be_taken_apart_is_trained_without(model_folder: Path, folder: Path) -> None:
    from trainer.training.activation_cache import open_activation_cache
    from trainer.training.settings import TrainSettings

    model, _tokenizer = tuned(model_folder, layers=1)
    kind = type(model)

    class Hidden(kind):  # type: ignore[misc,valid-type]
        layers = property(lambda self: list(self.model.layers))  # a copy: no use to change it

    model.__class__ = Hidden
    told: list[str] = []
    found = open_activation_cache(
        folder,
        "sha",
        model,
        TrainSettings(layers=1),
        samples(),
        confirm=lambda text: True,
        log=told.append,
    )
    assert found is None and "cannot be taken apart" in told[0]


@check
def rows_are_found_by_their_tokens_in_any_company(model_folder: Path, folder: Path) -> None:
    from dataclasses import replace

    from trainer.training.activation_cache import ActivationCache

    model, _tokenizer = tuned(model_folder, layers=1)
    rows = samples()
    cache = ActivationCache(folder, "sha", model, 1)
    cache.fill(rows[:6])
    assert cache.bytes_for(rows) == sum(row.length for row in rows[6:]) * 64 * 4
    cache.fill(rows)
    again = ActivationCache(folder, "sha", model, 1)
    assert again.bytes_for([replace(row, id="other") for row in rows]) == 0
    assert len(list(again.folder.iterdir())) == 2
    changed = replace(rows[0], tokens=[rows[0].tokens[0] + 1, *rows[0].tokens[1:]])
    assert again.bytes_for([changed]) == changed.length * 64 * 4
    assert ActivationCache(folder, "another", model, 1).bytes_for(rows) > 0


@check
def a_bfloat16_model_s_activations_come_back_bit_for_bit(model_folder: Path, folder: Path) -> None:
    import mlx.core as mx

    from trainer.training.activation_cache import ActivationCache
    from trainer.training.batches import make_batch

    model, _tokenizer = tuned(model_folder, layers=1)
    model.set_dtype(mx.bfloat16)
    rows = samples(3)
    cache = ActivationCache(folder, "sha", model, 1)
    cache.fill(rows)
    batch = make_batch(rows, cache.hidden)
    assert batch.hidden is not None and batch.hidden.dtype == mx.bfloat16
    direct = cache.frozen.activations(batch.inputs)
    for number, row in enumerate(rows):
        assert mx.array_equal(batch.hidden[number, : row.length], direct[number, : row.length])
    assert (
        sum(path.stat().st_size for path in cache.folder.iterdir())
        < 64 * 2 * sum(row.length for row in rows) + 1000
    )


@check
def a_row_that_was_not_filled_is_computed_and_not_kept(model_folder: Path, folder: Path) -> None:
    import mlx.core as mx

    from trainer.training.activation_cache import ActivationCache
    from trainer.training.batches import make_batch

    model, _tokenizer = tuned(model_folder, layers=1)
    rows = samples(3)
    cache = ActivationCache(folder, "sha", model, 1)
    cache.fill(rows[1:])
    batch = make_batch(rows, cache.hidden)
    direct = cache.frozen.activations(batch.inputs)
    for number, row in enumerate(rows):
        assert mx.allclose(
            batch.hidden[number, : row.length], direct[number, : row.length], atol=1e-5
        )
    assert cache.bytes_for(rows) == rows[0].length * 64 * 4


@check
def every_kind_of_damage_is_noticed(model_folder: Path, folder: Path) -> None:
    from trainer.training.activation_cache import ActivationCache

    model, _tokenizer = tuned(model_folder, layers=1)
    rows = samples(3)
    ActivationCache(folder, "sha", model, 1).fill(rows)
    path = next((folder / "sha-1-float32").iterdir())
    whole = path.read_bytes()
    for bad in (
        b"",
        whole[:7],
        whole[:100],
        whole[:-1],
        whole[:-1] + b"x",
        b"x" * len(whole),
        whole.replace(b'"rows"', b'"raws"'),
    ):
        path.write_bytes(bad)
        cache = ActivationCache(folder, "sha", model, 1)
        assert cache.damaged == 1 and not path.exists(), bad[:20]
        cache.fill(rows)
        assert path.read_bytes() == whole
    assert ActivationCache(folder, "sha", model, 1).damaged == 0


@check
def a_full_disk_while_filling_keeps_what_is_whole(model_folder: Path, folder: Path) -> None:
    import resource

    from exchange.errors import UserError
    from trainer.training import row_shards
    from trainer.training.activation_cache import ActivationCache, open_activation_cache
    from trainer.training.settings import TrainSettings

    model, _tokenizer = tuned(model_folder, layers=1)
    rows = samples(40)
    cache = ActivationCache(folder, "sha", model, 1)
    cache.fill(rows[:4])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        cache.fill(rows)
    except UserError as error:
        assert "free some disk space" in str(error)
    else:
        raise AssertionError("half a shard was taken for a whole one")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in cache.folder.iterdir()] == ["00000.safetensors"]
    told: list[str] = []
    spare, row_shards.SPARE_BYTES = (
        row_shards.SPARE_BYTES,
        1 << 60,
    )  # as on a disk that is nearly full
    try:
        found = open_activation_cache(
            folder,
            "sha",
            model,
            TrainSettings(layers=1),
            rows,
            confirm=lambda _: True,
            log=told.append,
        )
    finally:
        row_shards.SPARE_BYTES = spare
    assert found is None and "GB are free" in told[0]
