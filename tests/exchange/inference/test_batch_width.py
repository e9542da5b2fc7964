"""How wide the batch is: arithmetic on a model folder and the memory there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exchange.inference.batch_width import footprint, plan
from exchange.machine import GPU_SHARE, parse_vm_stat, total_memory, usable_memory

GIB = 1 << 30
MELTEMI = {
    "model_type": "mistral",
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "torch_dtype": "bfloat16",
    "quantization": {"group_size": 64, "bits": 4},
}


def folder(tmp_path: Path, config: dict[str, object], weights: int) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(weights)  # a hole: it takes no disk
    return tmp_path


@pytest.mark.parametrize(("machine", "rows"), [(8, 1), (16, 16), (24, 32), (64, 32)])
def test_the_newspaper_model_in_4_bit_on_a_mac(tmp_path: Path, machine: int, rows: int) -> None:
    model = folder(tmp_path, MELTEMI, 4_200_000_000)
    usable = int(machine * GIB * GPU_SHARE)
    found = plan(model, 0, 640, usable, float32=False)
    assert found.rows == rows
    assert found.fits is (machine > 8)
    assert "\n" not in str(found) and f"width {rows}" in str(found)


def test_a_width_that_was_asked_for_is_kept_and_the_one_that_fits_is_named(tmp_path: Path) -> None:
    model = folder(tmp_path, MELTEMI, 4_200_000_000)
    found = plan(model, 32, 640, int(16 * GIB * GPU_SHARE), float32=False)
    assert found.rows == 32 and not found.fits and "--width 16" in str(found)


def test_weights_of_16_bit_take_twice_as_much_on_a_cpu(tmp_path: Path) -> None:
    config = {key: value for key, value in MELTEMI.items() if key != "quantization"}
    model = folder(tmp_path, config, 1000)
    plain, cast = footprint(model, float32=False), footprint(model, float32=True)
    assert (plain.weights, plain.per_token) == (1000, 131072)
    assert (cast.weights, cast.per_token) == (2000, 262144)


def test_what_a_mac_could_hand_out_is_read_from_vm_stat() -> None:
    said = (
        "Mach Virtual Memory Statistics: (page size of 16384 bytes)\n"
        "Pages free:                               10.\n"
        "Pages active:                            500.\n"
        "Pages inactive:                           20.\n"
        "Pages speculative:                         3.\n"
        "Pages wired down:                        100.\n"
        "Pages purgeable:                           4.\n"
    )
    assert parse_vm_stat(said) == 37 * 16384
    assert parse_vm_stat("no such thing") == 0


def test_this_machine_has_some_memory_left() -> None:
    assert 0 < usable_memory() <= total_memory()
