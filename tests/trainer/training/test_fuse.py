"""Base and adapter as one plain model, whatever the recipe and however the base is stored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx.optimizers import AdamW
from mlx.utils import tree_flatten
from mlx_lm.utils import load as mlx_lm_load

from exchange.inference import runtime
from exchange.inference.engine import BASE, TUNED
from exchange.inference.mlx import base_and_adapter
from exchange.inference.mlx.engine import MlxEngine, generate_texts
from exchange.inference.models import convert
from exchange.inference.speech import hear
from tests.conftest import SENTENCES
from tests.twins import TWINS, make_twin
from trainer.tokenization import tokenize_sample
from trainer.training import adapter, fuse
from trainer.training.loss import Loss, loss_and_gradient
from trainer.training.settings import TrainSettings

TOKENS = mx.array([[1, 9, 40, 77, 300, 5, 270, 33]])


def make_adapter(base: Path, folder: Path, recipe: str) -> Path:
    """An adapter that really changes what the model says."""
    model, _ = runtime.load(base)
    config = adapter.attach(model, TrainSettings(recipe=recipe, rank=4, alpha=8, seed=1))
    mx.random.seed(2)
    learned = [
        (name, array + 0.05 * mx.random.normal(array.shape))
        for name, array in tree_flatten(model.trainable_parameters())
    ]
    model.load_weights(learned, strict=False)
    adapter.save(folder, model, config)
    return folder


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same model in float32, in bfloat16, and in 4 bit."""
    from tools.tiny_model import make_tiny_model

    folder = tmp_path_factory.mktemp("bases")
    plain = make_tiny_model(folder / "float32", SENTENCES * 4)
    half = make_tiny_model(folder / "bfloat16", SENTENCES * 4)
    weights: dict[str, Any] = mx.load(str(half / "model.safetensors"))  # type: ignore[assignment]
    mx.eval(weights)
    mx.save_safetensors(
        str(half / "model.safetensors"), {k: a.astype(mx.bfloat16) for k, a in weights.items()}
    )
    config = json.loads((half / "config.json").read_text())
    (half / "config.json").write_text(json.dumps(config | {"torch_dtype": "bfloat16"}))
    convert(str(half), folder / "4bit", 4)
    return {"float32": plain, "bfloat16": half, "4bit": folder / "4bit"}


@pytest.mark.parametrize(
    ("stored", "recipe", "off"),
    [
        ("float32", "sft", 1e-4),
        ("float32", "dora", 1e-4),
        ("float32", "full", 1e-6),
        ("bfloat16", "sft", 0.1),
        ("bfloat16", "full", 0.1),
        ("4bit", "sft", 0.1),
        ("4bit", "dora", 0.1),
    ],
)
def test_the_fused_model_says_what_base_and_adapter_say(
    bases: dict[str, Path], stored: str, recipe: str, off: float, tmp_path: Path
) -> None:
    base = bases[stored]
    with_adapter = make_adapter(base, tmp_path / "adapter", recipe)
    (tmp_path / "fused").mkdir()
    seen: list[tuple[int, int]] = []
    kind = fuse.write_fused(
        base,
        with_adapter,
        tmp_path / "fused",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert kind == ("float32" if stored == "float32" else "bfloat16")
    assert seen[-1][0] == seen[-1][1] > 0
    for path in base.glob("tokenizer*"):
        (tmp_path / "fused" / path.name).write_bytes(path.read_bytes())
    plain, _ = runtime.load(tmp_path / "fused")
    loaded = base_and_adapter.load_models(base, with_adapter).models
    untouched, tuned = loaded[BASE], loaded[TUNED]
    wanted, found, before = tuned(TOKENS), plain(TOKENS), untouched(TOKENS)
    assert mx.abs(wanted - before).max().item() > 0.5
    assert mx.abs(wanted - found).max().item() < off
    config = json.loads((tmp_path / "fused" / "config.json").read_text())
    assert "quantization" not in config and config["torch_dtype"] == kind
    names = dict(tree_flatten(plain.parameters()))
    assert not [name for name in names if name.endswith(("scales", "lora_a", "lora_b", ".m"))]


def test_weights_are_written_in_several_files_that_mlx_lm_joins_again(
    bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_adapter = make_adapter(bases["float32"], tmp_path / "adapter", "sft")
    folder = tmp_path / "fused"
    folder.mkdir()
    monkeypatch.setattr(fuse, "SHARD_GB", 0)  # every array in a file of its own
    fuse.write_fused(bases["float32"], with_adapter, folder)
    index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    assert set(index.values()) == {path.name for path in folder.glob("*.safetensors")}
    for path in bases["float32"].glob("tokenizer*"):
        (folder / path.name).write_bytes(path.read_bytes())
    plain, _ = runtime.load(folder)
    tuned = base_and_adapter.load_models(bases["float32"], with_adapter).models[TUNED]
    assert mx.abs(plain(TOKENS) - tuned(TOKENS)).max().item() < 1e-4


@pytest.mark.parametrize("recipe", ["sft", "dora", "full"])
def test_base_and_tuned_share_their_weights_and_the_base_stays_itself(
    bases: dict[str, Path], recipe: str, tmp_path: Path
) -> None:
    with_adapter = make_adapter(bases["float32"], tmp_path / "adapter", recipe)
    loaded = base_and_adapter.load_models(bases["float32"], with_adapter).models
    base, tuned = loaded[BASE], loaded[TUNED]
    alone, _ = runtime.load(bases["float32"])
    assert mx.array_equal(base(TOKENS), alone(TOKENS))
    shared = {id(array) for _, array in tree_flatten(base.parameters())}
    own = [name for name, array in tree_flatten(tuned.parameters()) if id(array) not in shared]
    assert set(own) == set(mx.load(str(with_adapter / "adapters.safetensors")))
    again = mlx_lm_load(str(bases["float32"]), adapter_path=str(with_adapter))[0]
    assert mx.array_equal(tuned(TOKENS), again(TOKENS))


@pytest.mark.parametrize("recipe", ["sft", "dora", "full"])
def test_base_and_tuned_in_one_engine_say_what_each_says_alone(
    bases: dict[str, Path], recipe: str, tmp_path: Path
) -> None:
    adapter = make_adapter(bases["float32"], tmp_path / "adapter", recipe)
    engine = MlxEngine(bases["float32"], name="tiny", width=3, adapter=adapter)
    models = base_and_adapter.load_models(bases["float32"], adapter)
    prompts = [engine.encode([{"role": "user", "content": text}]) for text in SENTENCES]
    tickets = {}
    for model in (BASE, TUNED):
        for number, prompt in enumerate(prompts):
            tickets[engine.submit_tokens(prompt, 16, 0, model=model)] = (model, number)
    found = {}
    while len(found) < len(tickets):
        found |= {tickets[done.ticket]: done for done in engine.step()}
    for model in (BASE, TUNED):
        alone = generate_texts(models.models[model], models.tokenizer, prompts, 16)
        assert [found[model, n].text for n in range(4)] == alone
    assert [found[BASE, n].text for n in range(4)] != [found[TUNED, n].text for n in range(4)]
    assert all(0 < one.batch_share_s <= one.seconds for one in found.values())


@pytest.mark.parametrize("kind", TWINS)
def test_models_of_other_families_speak_learn_and_are_fused(
    kind: str, tiny_model: Path, tmp_path: Path
) -> None:
    base = make_twin(kind, tiny_model, tmp_path / kind)
    model, tokenizer = runtime.load(base)
    config = adapter.attach(model, TrainSettings(rank=4, alpha=8, seed=1))
    turns = [{"role": "user", "content": "Πότε;"}, {"role": "assistant", "content": "Στις 3 Μάη."}]
    loss = Loss(model)
    assert loss.sparse, "logits only where it looks"
    batch = loss.batch([tokenize_sample(tokenizer, "a", turns)])
    optimizer = AdamW(0.01)
    compute = loss_and_gradient(loss)
    model.train()
    for _ in range(30):
        _, gradients = compute(batch, 1 / batch.size)
        optimizer.update(model, gradients)
        mx.eval(model.parameters())
    adapter.save(tmp_path / "adapter", model, config)

    loaded = base_and_adapter.load_models(base, tmp_path / "adapter")
    engine = MlxEngine(loaded, name=kind, width=2)
    heard = hear(engine, "el", SENTENCES)
    assert heard.problems() and heard.context == 512
    before, after = (
        engine.loglikelihood([turns[:1]], [turns[1]["content"]], model=one)[0].mean
        for one in (BASE, TUNED)
    )
    assert after > before + 1
    ticket = engine.submit(turns[:1], 12, 0, model=TUNED)
    while not (done := engine.step()):
        pass
    assert done[0].ticket == ticket and "think" not in done[0].text

    (tmp_path / "fused").mkdir()
    fuse.write_fused(base, tmp_path / "adapter", tmp_path / "fused")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, tmp_path / "fused")
    wanted = loaded.models[TUNED](TOKENS)
    assert mx.allclose(runtime.load(tmp_path / "fused")[0](TOKENS), wanted, atol=1e-4)
    theirs = mlx_lm_load(str(tmp_path / "fused"))[0]  # reads the config without our help
    assert mx.allclose(theirs(TOKENS), wanted, atol=1e-4)


@pytest.mark.parametrize("recipe", ["sft", "dora", "full"])
def test_the_adapter_at_part_of_its_strength_moves_every_weight_that_part_of_its_way(
    bases: dict[str, Path], recipe: str, tmp_path: Path
) -> None:
    base = bases["float32"]
    adapter = make_adapter(base, tmp_path / "adapter", recipe)
    loaded = base_and_adapter.load_models(base, adapter, (1.0, 0.25)).models
    assert list(loaded) == [TUNED, "tuned-0.25", BASE]
    weights = {}
    for scale in (1.0, 0.25):
        folder = tmp_path / f"fused-{scale}"
        folder.mkdir()
        fuse.write_fused(base, adapter, folder, scale=scale)
        for path in base.glob("tokenizer*"):
            (folder / path.name).write_bytes(path.read_bytes())
        weights[scale], _ = runtime.load(folder)
    before = dict(tree_flatten(loaded[BASE].parameters()))
    whole = dict(tree_flatten(weights[1.0].parameters()))
    moved = [name for name, array in before.items() if not mx.array_equal(array, whole[name])]
    assert len(moved) > 5
    for name, array in tree_flatten(weights[0.25].parameters()):
        wanted = before[name] + 0.25 * (whole[name] - before[name])
        assert mx.abs(array - wanted).max().item() < 1e-5
    part = loaded["tuned-0.25"]
    assert mx.abs(part(TOKENS) - weights[0.25](TOKENS)).max().item() < 1e-4
    assert mx.abs(part(TOKENS) - loaded[TUNED](TOKENS)).max().item() > 0.1
    again = base_and_adapter.load_models(base, adapter).models[TUNED]
    assert mx.array_equal(loaded[TUNED](TOKENS), again(TOKENS))  # the others left it as it was
    if recipe != "full":
        shared = {id(array) for array in before.values()}
        own = [n for n, array in tree_flatten(part.parameters()) if id(array) not in shared]
        assert set(own) == set(mx.load(str(adapter / "adapters.safetensors")))
