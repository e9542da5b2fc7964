"""An Ollama Modelfile: the weights, the marks around turns, where to stop, and the persona.

Ollama's templates are another language than the models' own. Most of the latter only put marks
around the turns: those marks are found by asking the template about conversations of known words,
and checked by putting longer conversations together from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from exchange.errors import ModelUnfit, UserError
from exchange.inference.engine import Message

# Words that no template writes by itself.
_S, _U, _A, _V, _B, _W = (f"kk{letter}kk" for letter in "suavbw")


@dataclass(frozen=True, slots=True)
class TemplateMarks:
    """The texts around system message, questions and answers; BOS is left to the tokenizer."""

    question: str  # before a question
    system: tuple[str, str] | None  # before the system message, and from it to the first question
    answer: str  # between a question and its answer
    end: str  # after an answer

    def write(self, messages: Sequence[Message]) -> str:
        """A conversation, as the template writes it; it ends where an answer begins or ended."""
        text = ""
        system = messages[0]["content"] if messages[0]["role"] == "system" else ""
        for turn in messages[1 if system else 0 :]:
            if turn["role"] == "user" and system and self.system:
                text += self.system[0] + system + self.system[1] + turn["content"] + self.answer
                system = ""
            elif turn["role"] == "user":
                text += self.question + turn["content"] + self.answer
            else:
                text += turn["content"] + self.end
        return text


def find_template_marks(tokenizer: Any) -> TemplateMarks:
    """Find the marks of a tokenizer's chat template.

    Raises:
        UserError: the template does more than to put marks around turns.
    """
    question, answer = _between(tokenizer, _user(_U), (_U,))
    first = _between(tokenizer, [*_user(_U), _assistant(_A), *_user(_V)], (_U, _A, _V))
    if not first[2].endswith(question) or first[1] != answer:
        raise _unsupported("its first turn differs from the others")
    end = first[2][: len(first[2]) - len(question)]
    system = None
    try:
        marks = _between(tokenizer, [_message("system", _S), *_user(_U)], (_S, _U))
        system = (marks[0], marks[1])
    except UserError:
        pass  # a template that knows no system message
    turns = TemplateMarks(question, system, answer, end)
    for conversation in _conversations(with_system=system is not None):
        if turns.write(conversation) != _render(tokenizer, conversation):
            raise _unsupported("long conversations are written otherwise than short ones")
    return turns


def _conversations(*, with_system: bool) -> list[list[Message]]:
    long = [*_user(_U), _assistant(_A), *_user(_V), _assistant(_B), *_user(_W)]
    found = [long[:1], long[:3], long]
    return found + [[_message("system", _S), *some] for some in found] if with_system else found


def _between(tokenizer: Any, messages: list[Message], words: tuple[str, ...]) -> tuple[str, ...]:
    """The texts before, between and after the words."""
    text = _render(tokenizer, messages)
    if any(text.count(word) != 1 for word in words):
        raise _unsupported("it leaves a turn out, or writes it twice")
    places = [(text.index(word), text.index(word) + len(word)) for word in words]
    edges = [(0, 0), *places, (len(text), len(text))]
    return tuple(text[left[1] : right[0]] for left, right in pairwise(edges))


def _render(tokenizer: Any, messages: list[Message]) -> str:
    try:
        text = str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        )
    except Exception as error:  # the template is a program of the model's makers
        raise _unsupported(str(error)) from None
    bos = getattr(tokenizer, "bos_token", None)
    return text.removeprefix(bos) if bos else text


def _unsupported(why: str) -> UserError:
    return ModelUnfit(f"the model's chat template cannot be written as Ollama's: {why}")


def _message(role: str, text: str) -> Message:
    return {"role": role, "content": text}


def _user(text: str) -> list[Message]:
    return [_message("user", text)]


def _assistant(text: str) -> Message:
    return _message("assistant", text)


CONTEXT = 4096  # tokens; questions and answers are short, and memory grows with it
QUOTES = '"""'


def modelfile(
    weights: str,
    turns: TemplateMarks | None,
    stops: Sequence[str],
    *,
    system: str = "",
    context: int = 0,
    comment: Sequence[str] = (),
) -> str:
    """The text of a Modelfile.

    Args:
        weights: path of the GGUF file or of a folder, seen from the Modelfile.
        turns: None leaves the template to what Ollama finds in the GGUF.
        stops: texts at which an answer ends.
        context: of the model in tokens; 0 when unknown.

    Raises:
        UserError: a text holds three quotes in a row, which a Modelfile cannot say.
    """
    lines = [f"# {line}" for line in comment]
    lines.append(f"FROM {weights}")
    if turns:
        lines.append(f"TEMPLATE {_quoted(ollama_template(turns))}")
    if system:
        lines.append(f"SYSTEM {_quoted(system)}")
    lines += [f"PARAMETER stop {_quoted(stop)}" for stop in stops]
    # Facts are to be recalled: the likeliest word, not a drawn one.
    lines.append("PARAMETER temperature 0")
    lines.append(f"PARAMETER num_ctx {min(context or CONTEXT, CONTEXT)}")
    return "\n".join(lines) + "\n"


def ollama_template(turns: TemplateMarks) -> str:
    """Ollama's form of one turn; it repeats it for every question, and gives System only once."""
    first = _literal(turns.question)
    if turns.system:
        before, between = (_literal(text) for text in turns.system)
        first = (
            "{{ if .System }}"
            + before
            + "{{ .System }}"
            + between
            + "{{ else }}"
            + first
            + "{{ end }}"
        )
    return (
        first + "{{ .Prompt }}" + _literal(turns.answer) + "{{ .Response }}" + _literal(turns.end)
    )


def _literal(text: str) -> str:
    """Text that a Go template leaves as it is."""
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str) -> str:
    if QUOTES in text or text.endswith('"'):
        raise ModelUnfit(f"a Modelfile cannot hold this text, for its quotes: {text[:80]!r}")
    return f"{QUOTES}{text}{QUOTES}"
