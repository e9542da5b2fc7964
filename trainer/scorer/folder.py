"""A trained scorer on the disk: a run's folder with `scorer.json` and its split beside the weights.

scorer/runs/NAME/
    run.json, metrics.jsonl, summary.json, best/   as of every run
    data/PART.jsonl     the split it was taught and is tested on
    candidate/          what a regression is; a decoder is best/
    scorer.json         ScorerInfo; written last, and only then it can score
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import orjson

from exchange.errors import BadFile, NotFound
from exchange.files import write_atomic
from exchange.project import Project
from trainer.scorer.items import ScoreItem, ScoreScale
from trainer.training.runs import TrainingRun

FOLDER, FILE, DATA, CANDIDATE = "scorer", "scorer.json", "data", "candidate"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class ScorerInfo:
    """All that a scorer is, beside its weights."""

    name: str
    model: str  # the base or the encoder as asked for, Hub name or folder; "" for neither
    model_sha: str
    prompt: str  # style
    prompt_sha: str
    only_digits: bool
    temperature: float
    threshold: float  # of confidence; below it abstains
    agreement: float  # what the threshold was chosen for
    scales: dict[str, int]  # maximum -> top, as taught
    human: bool  # a person gave the labels; false: they were made from pairs
    source: str  # where the items came from
    data: str  # sha of the split
    sizes: dict[str, int]  # items of each part
    valid: dict[str, float] = field(default_factory=dict)  # figures on what it was fitted on
    kind: str = "decoder"  # of the candidate that was chosen: which file of candidates/ reads it
    chosen: str = "decoder"  # the candidate's name
    trials: list[dict[str, Any]] = field(default_factory=list)  # all that were tried
    baselines: list[dict[str, Any]] = field(default_factory=list)  # what needs no reading
    gain: dict[str, float] = field(default_factory=dict)  # over the better of those two
    knows: bool = True  # the gain is no chance
    language: str = ""  # of most items: that of an answer which names none
    format: int = FORMAT

    @property
    def key(self) -> str:
        """Names this very scorer in `review.sqlite`: another training is another scorer."""
        made = [self.model_sha, self.prompt_sha, self.data, self.temperature]
        if self.chosen != "decoder":  # whose names stand in reviews of before
            made += [self.chosen, self.threshold]
        return f"{self.name}:{sha256(orjson.dumps(made)).hexdigest()[:8]}"

    @property
    def usual_scale(self) -> ScoreScale:
        """The scale that it is used with when nobody names one: its largest maximum."""
        maximum = max(self.scales, key=float)
        return ScoreScale(float(maximum), self.scales[maximum])

    def on_scale(self, item: ScoreItem) -> ScoreItem:
        """The item on a scale that was taught, where there is one of its maximum."""
        top = self.scales.get(f"{item.scale.maximum:g}")
        return replace(item, scale=ScoreScale(item.scale.maximum, top)) if top else item

    def write(self, run: TrainingRun) -> None:
        """From now on the scorer can score."""
        write_atomic(run.folder / FILE, orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))

    @classmethod
    def read(cls, run: TrainingRun) -> Self:
        """Read a finished scorer.

        Raises:
            UserError: there is none, or its record is damaged or of another version.
        """
        path = run.folder / FILE
        try:
            raw: dict[str, Any] = orjson.loads(path.read_bytes())
            if raw["format"] != FORMAT:
                raise ValueError(f"format {raw['format']}")
            return cls(**raw)
        except FileNotFoundError:
            raise NotFound(
                f"no scorer {run.name!r} yet: `kkoracle score train FILE` makes it"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadFile(
                f"{path} is unusable ({error}): run `kkoracle score train` again"
            ) from None


def scorer_run(project: Project, name: str) -> TrainingRun:
    """The folder of a scorer; one serves all archives.

    Args:
        name: or the path of a scorer's folder, wherever it was moved to.

    Raises:
        UsageError: a name that is none.
    """
    if "/" in name:
        return TrainingRun.at(Path(name).expanduser())
    return TrainingRun(project.data / FOLDER, name)
