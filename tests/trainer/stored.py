"""Checks of what is written to disk while training; run by `numbers.py`."""

from __future__ import annotations

import resource
from pathlib import Path

from tests.trainer.reference import check, tuned


@check
def a_damaged_state_is_one_line(model_folder: Path, folder: Path) -> None:
    import mlx.optimizers as optim

    from exchange.errors import UserError
    from trainer.lora import state

    model, _tokenizer = tuned(model_folder)
    optimizer = optim.AdamW(learning_rate=1e-3)
    optimizer.init(model.trainable_parameters())
    assert state.load(folder, model, optimizer, "this") is None
    state.save(folder, model, optimizer, state.Position(step=3, best_loss=0.1 + 0.2), "this")
    found = state.load(folder, model, optimizer, "this")
    assert found is not None and found.step == 3 and found.best_loss == 0.1 + 0.2
    path = folder / state.FILE
    path.write_bytes(path.read_bytes()[:1000])
    try:
        state.load(folder, model, optimizer, "this")
    except UserError as error:
        assert "--restart" in str(error)
    else:
        raise AssertionError("a damaged state was read")


@check
def a_full_disk_leaves_the_checkpoint_before_intact(model_folder: Path, folder: Path) -> None:
    from exchange.errors import UserError
    from trainer.lora import adapter

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
