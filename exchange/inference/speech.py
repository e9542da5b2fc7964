"""Let a model speak before hours are spent on it: a folder whose files are fine may still babble.

It reads a passage and answers what it was asked, and says how surprising a text in the archive's
language is to it. `python -m exchange.inference.speech FOLDER LANGUAGE` does so in a process of
its own, with the text at its input, and prints one line of JSON.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import UserError
from exchange.inference import models
from exchange.inference.engine import Engine, LikelihoodEngine, Message, RequestOutput, drain
from exchange.text.controls import one_line

# A name that no model knows by heart, in words that any model follows.
PASSAGE = (
    "The bridge over the river Arno in Velmor was opened on 12 May 1987 by the mayor, Teresa Lind, "
    "and cost 240,000 crowns."
)
QUESTION, NAME = "Who opened the bridge in Velmor?", "Lind"
REPLY_TOKENS = 48
# Bits a character of plain sentences. A model that knows a language stays under 1.2; SmolLM2-135M
# takes 0.7 for English and 1.8 for Greek, which it does not know; random weights take 9.
MOST_BITS = 1.6
TEXT_CHARACTERS = 1500


@dataclass(frozen=True, slots=True)
class SpeechSample:
    """What a model said, and how it took a text."""

    reply: str
    answers: bool  # the name that was asked for is in the reply
    bits: float  # a character; 0 where the engine gives no likelihoods
    language: str
    context: int = 0  # tokens; 0: not known

    def problems(self) -> list[str]:
        """What a person should know before hours are spent; [] when all is well."""
        found = []
        if not self.answers:
            said = f"it says {one_line(self.reply)[:80]!r}" if self.reply else "it says nothing"
            found.append(
                f"it does not answer a plain question about a sentence ({said}): its files may be "
                "damaged, or it was not tuned to follow instructions"
            )
        if self.bits > MOST_BITS:
            found.append(
                f"a text in {self.language!r} surprises it ({self.bits:.1f} bits a character, a "
                f"model that knows the language takes less than {MOST_BITS}): choose another"
            )
        return found

    def __str__(self) -> str:
        said = [f"answers {one_line(self.reply)[:60]!r}"] if self.answers else []
        if 0 < self.bits <= MOST_BITS:
            said.append(f"{self.bits:.2f} bits a character of {self.language!r}")
        return "; ".join([*self.problems(), *said])


def hear(engine: Engine, language: str, texts: Sequence[str]) -> SpeechSample:
    """Let the model of an engine speak; nothing else may be in flight.

    Args:
        language: of the archive.
        texts: in that language.

    Raises:
        UserError: the model has no chat template, or the endpoint refuses.
    """
    replies: list[RequestOutput] = []
    asked: list[Message] = [{"role": "user", "content": f"{PASSAGE}\n\n{QUESTION}"}]
    ticket = engine.submit(asked, REPLY_TOKENS, 0)
    drain(engine, {ticket: 0}, lambda _, output: replies.append(output))
    reply = replies[0].text if replies else ""
    bits = 0.0
    if isinstance(engine, LikelihoodEngine):
        text = "\n".join(texts)[:TEXT_CHARACTERS]
        told = engine.loglikelihood([[{"role": "user", "content": "…"}]], [text])[0]
        bits = -told.logprob / math.log(2) / len(text)
    context: Any = getattr(engine, "context", 0)
    answers = NAME in reply and QUESTION not in reply  # an echo is no answer
    return SpeechSample(reply, answers, bits, language, int(context))


def main(folder: str, language: str) -> int:
    """Hear the model of a folder and print what it said, or why it could not."""
    from exchange.inference.mlx.engine import MlxEngine

    try:
        engine = MlxEngine(Path(folder), name=Path(folder).name, width=1)
        config = models.read_config(Path(folder))
        heard = asdict(hear(engine, language, sys.stdin.read().splitlines())) | {
            "context": models.context_length(config)
        }
    except UserError as error:
        heard = {"error": str(error)}
    sys.stdout.write(orjson.dumps(heard).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
