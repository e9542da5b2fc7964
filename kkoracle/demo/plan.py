"""What one demo is: its folder, its size, its settings file. Fixed at the first run, so that the
same command goes on where it was stopped."""

from __future__ import annotations

import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from exchange.errors import BadFile, Busy, Unsupported
from exchange.files import write_atomic
from exchange.inference import models, openblas
from exchange.net import HOST, listen, listen_anywhere
from kkoracle.demo.newspaper import Language

# Stories and epochs. Without OpenBLAS MLX is 30 times slower: less is taught, and less well.
FULL, SMALL = (180, 20), (60, 8)
MODEL = Path(__file__).parent / "model" / "weights"
ENGLISH, ENGLISH_PROFILE = Path(__file__).parent / "newspaper" / "english.toml", "newspaper.toml"

CONFIG = """\
# Written by `kkoracle demo`: the settings of a sample newspaper on this machine.
data = "data"
archive = "demo"

[redis]
reconcile_s = 5

[model]
name = "{model}"

[crawl]
contact = "demo@example.org"
base_url = "{url}"
delay = 0.0  # robots.txt asks for 0.05 s, and gets it
"""

# Goes on where CONFIG ends, in [crawl]. The English one is for a pretrained model of some size: the
# prompts of real archives, and fewer epochs.
OWN_CONFIG: dict[Language, str] = {
    "el": """
[persona]
name = "Φωνή"
goal = "answer questions about the Voice of Petrolimni"

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
patience = 0  # validation asks 22 questions: too few to say when all is learned
open_book = 0.2  # so that it still reads what search finds
passage_prompt = "el/rag-demo"
max_length = 256
samples = 0
""",
    "en": """\
profile = "newspaper.toml"

[persona]
name = "Voice"
language = "en"
goal = "answer questions about the Harbour Voice"

[work]
prompt = "en/chunk-brief"  # with an example: a model of 135M follows no page of instructions
width = 16
max_tokens = 120
verify = true

[plan]
dense = 0
whois = 0
refusal = 0
correction = 0
replay = 0

[dataset]
valid = 0.05
unseen = 0.1

[evaluate]
systems = ["base", "rag", "tuned"]
questions = 10
passages = 1
absent = 0
disturbed = 0
judge = false
max_tokens = 32

[train]
lr = 0.001
rank = 16
layers = 8
batch = 8
epochs = 10
max_length = 256
samples = 0
""",
}


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """The choices of one demo."""

    stories: int
    port: int
    seed: int
    language: Language = "el"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def load_or_create_plan(
    directory: Path, stories: int | None, model: Path | None, language: Language = "el"
) -> tuple[DemoPlan, socket.socket | None]:
    """The plan of a folder: the stored one, or a new one with its config file.

    A new plan comes with its port, open from the moment it was chosen, so that nobody else can
    take it; a stored one without, for what a kill left there may have to end first.

    Args:
        model: the model folder that a new demo uses; None: the bundled one.

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
        if language != plan.language:
            raise Unsupported(
                f"{directory} holds a demo in {plan.language!r}: choose another folder with --dir"
            )
        if stories not in (None, plan.stories):
            raise Unsupported(
                f"{directory} holds a demo of {plan.stories} stories: remove the folder, or "
                "choose another with --dir"
            )
        return plan, None
    if language == "en" and model is None:
        raise Unsupported(
            "the bundled model speaks Greek alone: name an instruction-tuned one with --model "
            "FOLDER (in a clone, `make real` makes a small one and goes the whole way with it)"
        )
    model = model or MODEL
    models.check_folder(model)
    fast = not openblas.needed() or openblas.find() is not None
    usual, epochs = FULL if fast else SMALL
    if language == "en":
        usual = SMALL[0]
        write_atomic(directory / ENGLISH_PROFILE, ENGLISH.read_text("utf-8"))
    port = listen_anywhere()
    plan = DemoPlan(stories or usual, port.getsockname()[1], seed=7, language=language)
    settings = CONFIG + OWN_CONFIG[language]
    config = settings.format(model=model.resolve(), url=plan.url, epochs=epochs)
    write_atomic(directory / "kkoracle.toml", config)
    write_atomic(stored, orjson.dumps(asdict(plan)))  # last: it says that the folder is ready
    return plan, port


def open_stored_port(directory: Path, plan: DemoPlan) -> socket.socket:
    """The port of a plan that is gone on with: its addresses are known to the crawl.

    Raises:
        UserError: another program has it now.
    """
    try:
        return listen(HOST, plan.port)
    except Busy:
        raise Busy(
            f"another program listens on {HOST}:{plan.port}, where this demo's newspaper was: end "
            f"it, or begin anew without the folder {directory}"
        ) from None
