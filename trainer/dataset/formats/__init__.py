"""What other trainers read: the formats by name, and the one way in which each is put on disk.

Each format is a pure function of rows. How the `messages` files are used in TRL, Axolotl and
Unsloth stands in `snippets/`, one short file each, which go beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from exchange.errors import NotEnoughData, NotFound
from exchange.files import atomic_path, write_hashed
from trainer.dataset.formats import cards, jsonl
from trainer.dataset.rows import Manifest, SplitRows, read_split

__all__ = ["FORMATS", "ExportFormat", "export"]


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """One format: what it is for, its files, and what would make its reader refuse them."""

    about: str
    files: Callable[[SplitRows, Manifest], Mapping[str, Iterable[bytes]]]
    refuse: Callable[[SplitRows], str] = lambda rows: ""


FORMATS: dict[str, ExportFormat] = {
    "mlx": ExportFormat("mlx_lm.lora, chat: train, valid and test", jsonl.mlx_chat),
    "mlx-completions": ExportFormat("mlx_lm.lora, prompt and completion", jsonl.mlx_completions),
    "messages": ExportFormat(
        "TRL, Axolotl and Unsloth: one messages file a split, and how to use it in each",
        lambda rows, manifest: {**jsonl.messages(rows, manifest), **_snippets()},
    ),
    "openai": ExportFormat("OpenAI's fine-tuning files", jsonl.openai, jsonl.hosted_limits_error),
    "azure": ExportFormat(
        "Azure OpenAI: the same with a byte-order mark", jsonl.azure, jsonl.hosted_limits_error
    ),
    "sharegpt": ExportFormat("ShareGPT conversations", jsonl.sharegpt),
    "alpaca": ExportFormat("Alpaca: instruction, input, output", jsonl.alpaca),
    "autotrain": ExportFormat("AutoTrain: CSV with a text column", jsonl.autotrain),
    "parquet": ExportFormat(
        "Parquet with a card for the Hugging Face Hub (needs the extra `parquet`)",
        lambda rows, manifest: {
            **jsonl.parquet(rows, manifest),
            **cards.card_files(rows, manifest),
        },
    ),
}


def export(dataset: Path, name: str, folder: Path) -> list[Path]:
    """Write a built dataset in a format; the files stand whole or not at all.

    Raises:
        UserError: no such format, no dataset, rows that its reader would refuse, a full disk.
    """
    if name not in FORMATS:
        raise NotFound(f"no format {name!r}; there are {', '.join(FORMATS)}")
    manifest = Manifest.read(dataset)
    rows: SplitRows = {
        split: read_split(dataset, split)  # type: ignore[arg-type,misc]  # keys are splits
        for split, counts in manifest.splits.items()
        if counts["rows"]
    }
    chosen = FORMATS[name]
    refusal = chosen.refuse(rows)
    if refusal:
        raise NotEnoughData(f"{name}: {refusal}")
    written = []
    for file_name, pieces in chosen.files(rows, manifest).items():
        path = folder / file_name
        with atomic_path(path) as partial:
            write_hashed(partial, pieces)
        written.append(path)
    return written


def _snippets() -> dict[str, tuple[bytes]]:
    folder = resources.files(__name__) / "snippets"
    return {file.name.removesuffix(".txt"): (file.read_bytes(),) for file in folder.iterdir()}
