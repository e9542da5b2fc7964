"""The questions of the gate, and whoever is asked them: what is said is kept as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exchange.errors import NotEnoughData
from exchange.project import Project
from exchange.text.fold import words
from trainer.abstention import adapter_sha
from trainer.console import StageProgress
from trainer.dataset import DatasetRow, Manifest, read_chunks, read_split
from trainer.dataset.build import FOLDER as DATASET
from trainer.dataset.split import Split, hash_fraction
from trainer.evaluate.items import build, distractors
from trainer.evaluate.metrics import Likelihoods, measure
from trainer.evaluate.records import FACT_SPLITS, EvalAnswer, EvalItem
from trainer.evaluate.settings import EvaluateSettings
from trainer.evaluate.systems.answer_cache import FOLDER as ANSWERS
from trainer.evaluate.systems.answer_cache import AnswerCache
from trainer.evaluate.systems.local import LocalModel, LocalWeights
from trainer.evaluate.systems.strategies import ZeroShotStrategy
from trainer.evaluate.systems.system import EvalSystem
from trainer.promote.settings import PromoteSettings
from trainer.training import row_selection
from trainer.training.runs import TAUGHT

RUN, BEFORE, BASE = "run", "before", "base"  # who is asked
_FIXED = "gate"  # the order in which questions are taken, the same every time
Scores = Mapping[str, Mapping[str, Mapping[str, float | None]]]  # by metric, system and item


@dataclass(frozen=True, slots=True)
class GateHooks:
    """How the gate speaks with whoever waits for it."""

    note: Callable[[str], None] = lambda text: None
    report: StageProgress = lambda what, done, total: None
    confirm: Callable[[str], bool] = lambda text: False
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class GateQuestions:
    """The items that are asked, by what they are to show."""

    old: list[EvalItem] = field(default_factory=list)
    new: list[EvalItem] = field(default_factory=list)
    general: list[EvalItem] = field(default_factory=list)
    absent: list[EvalItem] = field(default_factory=list)

    @property
    def all(self) -> list[EvalItem]:
        return [*self.old, *self.new, *self.general, *self.absent]


def read_questions(
    archive_dir: Path, adapter: Path, language: str, settings: PromoteSettings
) -> GateQuestions:
    """What is asked: facts as they were taught and in other words, general and coined ones.

    Raises:
        UserError: no dataset, or the run has not said what it was taught.
    """
    dataset = archive_dir / DATASET
    manifest = Manifest.read(dataset)
    train = read_split(dataset, "train")
    new = row_selection.read_ids(adapter / row_selection.NEW)
    seen = row_selection.read_ids(adapter / TAUGHT) - new
    if not new:
        raise NotEnoughData(f"{adapter.name} does not say what it was taught: train it anew")
    asked = [
        row
        for split in ("test_recall", "valid")
        for row in _rows(dataset, manifest, split)
        if row.rephrase_of
    ]
    among = distractors.DistractorIndex(train)
    chunks = read_chunks(dataset)

    def items(ids: frozenset[str]) -> list[EvalItem]:
        taught = _first([row for row in train if row.id in ids and row.is_fact], settings)
        sources = {row.id for row in taught}
        again = _first([row for row in asked if row.rephrase_of in sources], settings)
        return [
            build.build_item("test_recall", row, among, chunks, None, manifest).replace(
                language=language
            )
            for row in [*taught, *again]
        ]

    facts = items(seen), items(new)
    general = _rows(dataset, manifest, "test_general")
    return GateQuestions(
        *facts,
        [
            build.build_item("test_general", row, None, {}, None, manifest).replace(
                language=language
            )
            for row in _first(general, settings)
        ],
        list(_coined([*facts[0], *facts[1]], train))[: settings.questions],
    )


def _rows(dataset: Path, manifest: Manifest, split: Split) -> list[DatasetRow]:
    return read_split(dataset, split) if manifest.splits.get(split, {}).get("rows") else []


def _first(rows: Sequence[DatasetRow], settings: PromoteSettings) -> list[DatasetRow]:
    """The rows that are asked of so many: always the same ones, whatever comes beside them."""
    return sorted(rows, key=lambda row: (hash_fraction(row.id, _FIXED), row.id))[
        : settings.questions
    ]


def _coined(facts: Iterable[EvalItem], train: Iterable[DatasetRow]) -> Iterable[EvalItem]:
    """Taught questions with a name in them that stands nowhere."""
    told = {word for row in train for word in (*words(row.question), *words(row.answer))}
    for item in facts:
        if question := distractors.with_coined_name(item.question, told.__contains__, item.id):
            yield EvalItem(
                f"coined-{item.id}", build.ABSENT, question, "", item.cluster, item.system
            ).replace(language=item.language)


@dataclass(frozen=True, slots=True)
class GateInterview:
    """Who is asked, with what is kept of it."""

    project: Project
    archive_dir: Path
    base: Path
    model_sha: str
    questions: GateQuestions
    hooks: GateHooks

    def scores(self, adapter: Path, before: Path | None) -> Scores:
        """Every metric of the run, the one before (the base, where there is none) and the base."""
        answers: dict[str, dict[str, EvalAnswer]] = {}
        weights: dict[str, Likelihoods] = {}
        with self._weights(adapter) as loaded:
            self._ask(RUN, loaded, adapter, self.questions.all, answers, weights)
            plain = self.questions.general if before else self.questions.all
            self._ask(BASE, loaded, None, plain, answers, weights)
        if before is None:
            answers[BEFORE], weights[BEFORE] = answers[BASE], weights[BASE]
        else:
            asked = [item for item in self.questions.all if item.split != "test_general"]
            with self._weights(before) as loaded:
                self._ask(BEFORE, loaded, before, asked, answers, weights)
        return measure(self.questions.all, answers, weights)[0]

    def _weights(self, adapter: Path) -> LocalWeights:
        width = self._evaluation.width
        return LocalWeights(self.base, adapter, self.project.data, width, self.hooks.note)

    @property
    def _evaluation(self) -> EvaluateSettings:
        return self.project.config.table("evaluate", EvaluateSettings)

    def _ask(
        self,
        name: str,
        loaded: LocalWeights,
        adapter: Path | None,
        items: list[EvalItem],
        answers: dict[str, dict[str, EvalAnswer]],
        weights: dict[str, Likelihoods],
    ) -> None:
        client = LocalModel(
            loaded,
            tuned=adapter is not None,
            model_sha=self.model_sha,
            adapter_sha=adapter_sha(adapter) if adapter else "",
        )
        # What a run said is thinned with it; what the base says is of use for ever.
        store = AnswerCache((adapter or self.archive_dir) / ANSWERS, client.key)
        system = EvalSystem(
            name,
            "tuned" if adapter else BASE,
            ZeroShotStrategy(),
            client,
            store,
            self._evaluation.max_tokens,
            self.hooks.stop,
        )
        facts = [item for item in items if item.split in FACT_SPLITS]
        given = system.answer(items, _counted("answers", len(items), self.hooks.report))
        answers[name] = {answer.item: answer for answer in given}
        count = sum(1 + len(item.distractors) for item in facts)
        weights[name] = system.loglikelihood(
            facts, _counted("likelihoods", count, self.hooks.report)
        )


def _counted(what: str, total: int, report: StageProgress) -> Callable[[], None]:
    done = 0

    def one() -> None:
        nonlocal done
        done += 1
        report(what, done, total)

    return one
