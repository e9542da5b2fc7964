"""What one demo is: its folder, its size, its settings file. Fixed at the first run, so that the
same command goes on where it was stopped."""

from __future__ import annotations

import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from exchange.errors import BadFile, Unsupported
from exchange.files import write_atomic
from exchange.inference import models, openblas

# Stories and epochs. Without OpenBLAS MLX is 30 times slower: less is taught, and less well.
FULL, SMALL = (180, 20), (60, 8)
MODEL = Path(__file__).parent / "model" / "weights"

CONFIG = """\
# Written by `kkoracle demo`: the settings of a sample newspaper on this machine.
data = "data"
archive = "demo"

[redis]
reconcile_s = 5

[persona]
name = "Φωνή"
goal = "answer questions about the Voice of Petrolimni"

[model]
name = "{model}"

[crawl]
contact = "demo@example.org"
base_url = "{url}"
delay = 0.0  # robots.txt asks for 0.05 s, and gets it

[work]
prompt = "el/chunk-demo"  # in the words that its model was taught
width = 16
max_tokens = 160
lease_s = 10

[plan]
rephrase_least = 1000  # every pair: a model this small finds other words for one in six

[dataset]
valid = 0.05
unseen = 0.4  # more than 60 stories are never taught
recall = 0.8  # of the pairs that were asked in other words, most test whether they are known

[evaluate]
prompt = "el/rag-demo"
passages = 1  # it was taught to read one
questions = 120
shots = [3]

[train]
lr = 0.004  # a model this small wants more than a 7B one
batch = 16
epochs = {epochs}
max_length = 256
samples = 0
"""


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """The choices of one demo."""

    stories: int
    port: int
    seed: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def load_or_create_plan(directory: Path, stories: int | None, model: Path) -> DemoPlan:
    """The plan of a folder: the stored one, or a new one with its config file.

    Args:
        model: the model folder that a new demo uses.

    Raises:
        UserError: the folder cannot be written, was begun with another size, or the model folder
            is none.
    """
    stored = directory / "demo.json"
    if stored.exists():
        try:
            plan = DemoPlan(**orjson.loads(stored.read_bytes()))
        except (TypeError, ValueError):
            raise BadFile(f"{stored} is damaged: remove the folder {directory}") from None
        if stories not in (None, plan.stories):
            raise Unsupported(
                f"{directory} holds a demo of {plan.stories} stories: remove the folder, or "
                "choose another with --dir"
            )
        return plan
    models.check_folder(model)
    fast = not openblas.needed() or openblas.find() is not None
    usual, epochs = FULL if fast else SMALL
    plan = DemoPlan(stories or usual, _free_port(), seed=7)
    config = CONFIG.format(model=model.resolve(), url=plan.url, epochs=epochs)
    write_atomic(directory / "kkoracle.toml", config)
    write_atomic(stored, orjson.dumps(asdict(plan)))  # last: it says that the folder is ready
    return plan


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
