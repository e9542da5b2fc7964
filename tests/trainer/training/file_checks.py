"""Checks of what is written to disk while training; run by `numbers.py`."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

from tests.trainer.training.reference import check, samples, tuned
from trainer.training.callbacks import Callback, StepMetrics
from trainer.training.run_config import RunConfig
from trainer.training.runs import TrainingRun


def trained(model_folder: Path, run: TrainingRun, callback: Callback | None = None) -> Any:
    """A run of a few steps through the real loop, from wherever its folder is; its model."""
    from exchange.inference import runtime
    from trainer.training.batches import TrainingData
    from trainer.training.loop import TrainingLoop
    from trainer.training.settings import TrainSettings

    model, tokenizer = runtime.load(model_folder)
    rows = samples()
    data = TrainingData(rows, rows[:3], rows[:3], [], 0, 100)
    settings = TrainSettings(batch=4, epochs=3, lr=1e-3, save_every=2, evaluate_every=100)
    run.folder.mkdir(parents=True, exist_ok=True)
    loop = TrainingLoop(model, tokenizer, data, settings, run, callback=callback or Callback())
    if isinstance(callback, Fault):
        callback.model = model
    loop.fit(RunConfig("m", "sha", "data", settings.model_dump()))
    return model


class Fault(Callback):
    """A weight that flips to nonsense in the middle of a run."""

    model: Any = None

    def on_step(self, step: StepMetrics) -> None:
        if step.step == 5:
            scale = self.model.layers[0].input_layernorm
            scale.weight = scale.weight * float("nan")


@check
def a_loss_that_becomes_no_number_leaves_the_last_sound_state(
    model_folder: Path, folder: Path
) -> None:
    from exchange.errors import UserError

    calm, faulty = (
        TrainingRun(folder / "calm", "default"),
        TrainingRun(folder / "faulty", "default"),
    )
    trained(model_folder, calm)
    try:
        trained(model_folder, faulty, Fault())
    except UserError as error:
        assert "the loss is not finite at step 6" in str(error) and "intact" in str(error)
    else:
        raise AssertionError("nonsense was learned")
    assert (faulty.folder / "state.safetensors").exists()
    trained(model_folder, faulty)  # after what was wrong is put right
    for name in ("adapters.safetensors", "best/adapters.safetensors"):
        assert (faulty.folder / name).read_bytes() == (calm.folder / name).read_bytes()


@check
def a_damaged_state_is_one_line(model_folder: Path, folder: Path) -> None:
    import mlx.optimizers as optim

    from exchange.errors import UserError
    from trainer.training import checkpoints

    model, _tokenizer = tuned(model_folder)
    optimizer = optim.AdamW(learning_rate=1e-3)
    optimizer.init(model.trainable_parameters())
    assert checkpoints.load_state(folder, model, optimizer, {"this"}) is None
    checkpoints.save_state(
        folder, model, optimizer, checkpoints.TrainingPosition(step=3, best_loss=0.1 + 0.2), "this"
    )
    found = checkpoints.load_state(folder, model, optimizer, {"this"})
    assert found is not None and found.step == 3 and found.best_loss == 0.1 + 0.2
    path = folder / checkpoints.FILE
    path.write_bytes(path.read_bytes()[:1000])
    try:
        checkpoints.load_state(folder, model, optimizer, {"this"})
    except UserError as error:
        assert "--restart" in str(error)
    else:
        raise AssertionError("a damaged state was read")


@check
def a_full_disk_leaves_the_checkpoint_before_intact(model_folder: Path, folder: Path) -> None:
    from exchange.errors import UserError
    from trainer.training import adapter

    model, _tokenizer = tuned(model_folder)
    config = {"fine_tune_type": "lora"}
    adapter.save(folder, model, config)
    before = (folder / adapter.WEIGHTS).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        adapter.save(folder, model, config)
    except UserError as error:
        assert "the checkpoint before is intact" in str(error) and "\n" not in str(error)
    else:
        raise AssertionError("half a file was taken for a whole one")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (folder / adapter.WEIGHTS).read_bytes() == before
    assert sorted(path.name for path in folder.iterdir() if "partial" in path.name) == []
