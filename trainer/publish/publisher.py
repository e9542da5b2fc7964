"""Publish one run: each method makes one thing from what the one before has left."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from exchange.errors import NotFound, UsageError, UserError
from exchange.files import write_atomic
from exchange.inference import models, runtime
from exchange.project import Project
from exchange.settings import PersonaSettings
from trainer.console import ProgressCallback
from trainer.dataset.build import FOLDER as DATASET
from trainer.dataset.rows import read_split
from trainer.hub import HubUpload
from trainer.publish import converter, ollama, tokenizer
from trainer.publish.card import ModelCard, read_results, render_card
from trainer.publish.fuse import ArtifactFolder, FusedModel, fuse_run
from trainer.publish.settings import PublishSettings
from trainer.training.runs import CheckpointName, RunSummary
from trainer.tuned_model import TunedModel, find_tuned_model

REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
WRITTEN = re.compile(r"Writing:\s+(\d+)%")  # the converter's own progress
CHECKED_TEXTS = 200  # questions and answers that the rebuilt tokenizer is tried on


class Publisher:
    """What is published of one run.

    Raises:
        UserError: no such run, or another model than the run's.
    """

    def __init__(
        self,
        project: Project,
        archive: str | None,
        run: str,
        checkpoint: CheckpointName,
        *,
        settings: PublishSettings,
        language_model: models.ModelSettings,
        callback: ProgressCallback,
        confirm: Callable[[str], bool],
    ) -> None:
        self.tuned: TunedModel = find_tuned_model(
            project, archive, run, checkpoint, language_model, confirm
        )
        self.archive_dir = project.archive_dir(archive)
        self.artifacts = ArtifactFolder(self.archive_dir, run)
        self._project = project
        self._newspaper = settings.newspaper or project.archive(archive)
        self._settings = settings
        self._callback = callback
        self._persona = project.config.table("persona", PersonaSettings)
        self._language = project.language(archive)

    def fuse(self, bits: int = 0) -> FusedModel:
        """The fused model; see `fuse_run`."""
        if bits not in (0, 4, 8):
            raise UsageError(f"--bits {bits}: 4, 8, or 0 for none")
        if RunSummary.read(self.tuned.run.folder) is None:
            self._callback.log("this run is not finished: what it has learned so far is taken")
        return fuse_run(
            self._project,
            self.archive_dir,
            self.tuned,
            bits=bits,
            scale=self._settings.scale,
            rows=self._settings.rows,
            callback=self._callback,
        )

    def card(self, bits: int = 0, repository: str = "") -> Path:
        """Write README.md into the fused folder."""
        fused = self._fused(bits)
        config = self.tuned.config
        path = self.artifacts.model(bits) / "README.md"
        about = ModelCard(
            name=self._persona.name,
            newspaper=self._newspaper,
            language=self._language,
            goal=self._persona.goal,
            system=self._persona.system,
            base=self.tuned.title,
            base_on_hub=not self.tuned.local,
            license=self._settings.license,
            rights=self._settings.rights,
            fused=fused,
            kind=str(config.settings.get("recipe", "lora")),
            settings=config.settings,
            results=read_results(self.tuned.run.folder),
            repository=repository,
        )
        write_atomic(path, render_card(about).encode("utf-8"))
        return path

    def gguf(
        self, checkout: Path, kind: str, python: Path | None
    ) -> tuple[Path, converter.GgufFacts]:
        """A GGUF file of the fused model; see `converter.convert`."""
        chosen = next((known for known in converter.TYPES if known == kind), None)
        if chosen is None:
            raise UsageError(f"--type {kind}: {', '.join(converter.TYPES)}")
        converter.find_converter(checkout)  # before hours of fusing
        self.fuse()
        self._check_tokenizer()
        target = self.artifacts.gguf / f"{self.tuned.run.name}-{kind}.gguf"
        if target in self.artifacts.ggufs():
            return target, converter.read_gguf(target, checkout, str(python or sys.executable))
        facts = converter.convert(
            self.artifacts.model(),
            target,
            checkout,
            kind=chosen,
            name=self._persona.name,
            python=python,
            log=self._on_converter_line,
        )
        return target, facts

    def modelfile(self) -> Path:
        """An Ollama Modelfile for the newest GGUF file, or else for the fused folder."""
        self.fuse()
        files = self.artifacts.ggufs()
        tokenizer = runtime.tokenizer(self.artifacts.model())
        try:
            marks = ollama.find_template_marks(tokenizer)
        except UserError as error:
            self._callback.log(f"{error}; Ollama looks for a template of its own")
            marks = None
        path = self.artifacts.gguf / "Modelfile"
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = f"./{files[-1].name}" if files else f"../{self.artifacts.model().name}"
        if not files:
            self._callback.log("no GGUF file yet: Ollama converts the folder itself")
        stops = [tokenizer.decode([token]) for token in sorted(tokenizer.eos_token_ids)]
        text = ollama.modelfile(
            weights,
            marks,
            stops,
            system=self._persona.system,
            context=int(getattr(tokenizer, "model_max_length", 0) or 0),
            comment=[f"{self._persona.name}: ollama create {self.tuned.run.name} -f Modelfile"],
        )
        write_atomic(path, text.encode("utf-8"))
        return path

    def hub_upload(self, repository: str, *, public: bool, with_gguf: bool) -> HubUpload:
        """What would be sent to the Hub.

        Raises:
            UsageError: no name of a repository.
            UserError: a GGUF file is wanted and there is none.
        """
        if not REPOSITORY.fullmatch(repository):
            raise UsageError(f"{repository!r} is no repository: NAME/REPO, as on the Hub")
        self.fuse()
        folders = [(self.artifacts.model(), ".")]
        if with_gguf:
            if not self.artifacts.ggufs():
                raise NotFound("no GGUF file of this model yet: run `kkoracle publish gguf`")
            folders.append((self.artifacts.gguf, "gguf"))
        return HubUpload(repository, public, tuple(folders))

    def _on_converter_line(self, line: str) -> None:
        """Show of the converter's output how far it is, and what it warns of."""
        found = WRITTEN.match(line)
        if found:
            self._callback.on_progress("writing GGUF %", int(found[1]), 100)
        elif line.startswith("WARNING"):
            self._callback.log(f"llama.cpp: {line}")

    def _fused(self, bits: int) -> FusedModel:
        fused = self.artifacts.fused(bits)
        if fused is None:
            raise NotFound("there is no fused model yet: run `kkoracle publish fuse`")
        return fused

    def _check_tokenizer(self) -> None:
        """Say so when llama.cpp would cut words otherwise than the model was taught."""
        path = self.artifacts.model() / "tokenizer.model"
        if not path.exists():
            return
        rows = read_split(self.archive_dir / DATASET, "train")[:CHECKED_TEXTS]
        equal = tokenizer.tokenization_agreement(
            path.read_bytes(),
            runtime.tokenizer(self.artifacts.model()),
            [text for row in rows for text in (row.question, row.answer)],
        )
        if equal < 1:
            self._callback.log(
                f"llama.cpp would cut {1 - equal:.1%} of the questions and answers otherwise than "
                "the model was taught: expect worse answers from the GGUF than from the folder"
            )
