"""What an evaluation is made of: the archive read once and let go, and the model that was tuned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exchange.inference import models
from exchange.project import Project
from exchange.records import Chunk
from exchange.store.corpus import Corpus
from exchange.store.export import FolderCorpus
from exchange.store.joined_corpus import has_corpus, open_corpus
from trainer.abstention import adapter_sha
from trainer.console import StageProgress
from trainer.dataset import Manifest, read_split
from trainer.dataset.build import FOLDER as DATASET
from trainer.evaluate.items import BuiltItems, build_items
from trainer.evaluate.items.build import ItemCounts
from trainer.evaluate.rag import SearchIndex, open_archive
from trainer.training import run_config
from trainer.training.runs import CheckpointName, TrainingRun
from trainer.tuned_model import find_tuned_model


@dataclass(frozen=True, slots=True)
class EvaluationInputs:
    """The questions, and where passages are found; no search where there is no archive."""

    manifest: Manifest
    gathered: BuiltItems
    search: SearchIndex | None
    coverage: dict[str, int]


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """The model, and what a run has made of it."""

    name: str  # as asked for: Hub name or folder
    folder: Path
    sha: str
    adapter: Path | None
    adapter_sha: str
    dataset: str  # that the run was begun with

    @property
    def title(self) -> str:
        """The name without where a folder lies, which is nobody else's business."""
        return Path(self.name).name if Path(self.name).expanduser().is_dir() else self.name


def read_inputs(
    archive_dir: Path, origin: Path | None, sought: ItemCounts, report: StageProgress
) -> EvaluationInputs:
    """Read the dataset's test splits and the archive beside them.

    Args:
        origin: an exported folder, in place of the spool.

    Raises:
        UserError: no dataset, or an export that is none.
    """
    dataset = archive_dir / DATASET
    manifest = Manifest.read(dataset)
    corpus = _corpus(archive_dir, origin)
    if corpus is None:
        return EvaluationInputs(
            manifest, build_items(dataset, lambda ids: {}, None, sought), None, {}
        )
    with corpus:  # not for longer: an open reading lets the daemon's journal grow
        search = open_archive(corpus, archive_dir, report)
        chunks = {chunk.id: chunk for chunk in corpus.chunks()}
        counters = corpus.counters()
    gathered = build_items(
        dataset, lambda ids: {name: chunks[name] for name in ids if name in chunks}, search, sought
    )
    return EvaluationInputs(
        manifest, gathered, search, _coverage(dataset, manifest, counters, chunks)
    )


def find_model(
    project: Project,
    archive: str | None,
    run: str,
    checkpoint: CheckpointName,
    *,
    tuned: bool,
    language_model: models.ModelSettings | None,
    confirm: Callable[[str], bool],
) -> EvaluatedModel:
    """Look up the model, and its adapter if a tuned system is asked.

    Raises:
        UserError: no such run, no adapter yet, or another model than the adapter's.
    """
    if not tuned:
        TrainingRun(project.archive_dir(archive), run)  # checks the name
        asked_for = language_model or project.config.table("model", models.ModelSettings)
        folder = models.locate(asked_for, project.models, confirm)
        return EvaluatedModel(asked_for.name, folder, run_config.model_sha(folder), None, "", "")
    found = find_tuned_model(project, archive, run, checkpoint, language_model, confirm)
    sha = adapter_sha(found.adapter)
    return EvaluatedModel(
        found.name, found.base, found.config.model_sha, found.adapter, sha, found.config.dataset
    )


def _corpus(archive_dir: Path, origin: Path | None) -> Corpus | None:
    """None for rows that others made: there is a dataset, and no archive."""
    if origin is not None:
        return FolderCorpus(origin)
    return open_corpus(archive_dir) if has_corpus(archive_dir) else None


def _coverage(
    dataset: Path, manifest: Manifest, counters: dict[str, int], chunks: dict[str, Chunk]
) -> dict[str, int]:
    """How much of the archive was made into questions, and how much of that was taught."""
    rows = {
        split: read_split(dataset, split)
        for split in ("train", "valid", "test_recall", "test_unseen")
        if manifest.splits.get(split, {}).get("rows")
    }
    with_row = {chunk for found in rows.values() for row in found for chunk in row.chunks}
    taught = {chunk for row in rows.get("train", []) for chunk in row.chunks}
    return {
        "stories": counters.get("stories", 0),
        "stories_taught": len({row.story for row in rows.get("train", []) if row.story}),
        "chunks": len(chunks),
        "chunks_with_question": len(with_row & chunks.keys()),
        "chunks_taught": len(taught & chunks.keys()),
        "pairs_accepted": counters.get("pairs.accepted", 0),
    }
