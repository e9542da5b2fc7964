"""An Ollama Modelfile: the weights, the marks around turns, where to stop, and the persona."""

from __future__ import annotations

from collections.abc import Sequence

from exchange.errors import UserError
from trainer.publish.turns import Turns

CONTEXT = 4096  # tokens; questions and answers are short, and memory grows with it
QUOTES = '"""'


def modelfile(
    weights: str,
    turns: Turns | None,
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
        lines.append(f"TEMPLATE {_quoted(template(turns))}")
    if system:
        lines.append(f"SYSTEM {_quoted(system)}")
    lines += [f"PARAMETER stop {_quoted(stop)}" for stop in stops]
    # Facts are to be recalled: the likeliest word, not a drawn one.
    lines.append("PARAMETER temperature 0")
    lines.append(f"PARAMETER num_ctx {min(context or CONTEXT, CONTEXT)}")
    return "\n".join(lines) + "\n"


def template(turns: Turns) -> str:
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
        raise UserError(f"a Modelfile cannot hold this text, for its quotes: {text[:80]!r}")
    return f"{QUOTES}{text}{QUOTES}"
