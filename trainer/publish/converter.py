"""GGUF by llama.cpp's own converter, from a checkout of the user's; nothing of it is copied here.

The converter runs as a process of a Python that has torch and transformers. What it wrote is read
back before it counts: a GGUF without a chat template, or whose tokenizer has lost its scores,
loads everywhere and answers nonsense.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import orjson

from exchange.errors import BadFile, ModelUnfit, ProgramFailed, UsageError
from exchange.files import atomic_path

GgufType = Literal["auto", "f32", "f16", "bf16", "q8_0"]
TYPES: tuple[GgufType, ...] = get_args(GgufType)
CONVERTER = "convert_hf_to_gguf.py"
READER = Path(__file__).parent / "scripts" / "read_gguf.py"
LAST_LINES = 20  # of the converter's output, in which its error is looked for


@dataclass(frozen=True, slots=True)
class GgufFacts:
    """What a GGUF file says of itself."""

    architecture: str
    tokenizer: str  # "llama" has scores, "gpt2" has merges
    tokens: int
    scores: int  # different ones, the placeholder left out
    merges: int
    chat_template: str
    tensors: int

    def faults(self) -> list[str]:
        """Why a chat with this file would go wrong."""
        found = []
        if not self.chat_template:
            found.append("it holds no chat template")
        if self.tokenizer == "llama" and self.scores < 2:
            found.append("its tokens have no scores, so that words would be cut at random")
        if self.tokenizer == "gpt2" and not self.merges:
            found.append("its tokenizer has no merges")
        return found


def convert(
    model: Path,
    target: Path,
    checkout: Path,
    *,
    kind: GgufType,
    name: str,
    python: Path | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> GgufFacts:
    """Write one GGUF file, whole or not at all.

    Args:
        model: a fused folder, not quantised.
        checkout: a folder of llama.cpp.
        kind: type of the weights; "auto" keeps the folder's 16-bit type.
        python: the interpreter that has torch; default: this one.
        log: handed each line of the converter's output.

    Raises:
        UsageError: the folder is no checkout of llama.cpp.
        UserError: the converter fails, or the file would not work.
    """
    script = find_converter(checkout)
    interpreter = str(python or sys.executable)
    with atomic_path(target) as partial:
        _run(
            [
                interpreter,
                str(script),
                str(model),
                "--outfile",
                str(partial),
                "--outtype",
                kind,
                "--model-name",
                name,
            ],
            checkout,
            log,
        )
        facts = read_gguf(partial, checkout, interpreter)
        faults = facts.faults()
        if faults:
            raise ModelUnfit(f"the GGUF would not work: {'; '.join(faults)}")
    return facts


def find_converter(checkout: Path) -> Path:
    """The converter of a checkout.

    Raises:
        UsageError: the folder is no checkout of llama.cpp.
    """
    script = checkout / CONVERTER
    if not script.is_file() or not (checkout / "gguf-py").is_dir():
        raise UsageError(
            f"{checkout} is no checkout of llama.cpp ({CONVERTER} and gguf-py are not both there): "
            "git clone https://github.com/ggml-org/llama.cpp, and give that folder"
        )
    return script


def read_gguf(path: Path, checkout: Path, interpreter: str = sys.executable) -> GgufFacts:
    """Read a GGUF file's metadata with the reader of the checkout.

    Raises:
        UserError: it cannot be read.
    """
    output = _run([interpreter, str(READER), str(path)], checkout, lambda line: None)
    try:
        return GgufFacts(**orjson.loads(output[-1]))
    except (IndexError, TypeError, ValueError):
        raise BadFile(f"{path} cannot be read as GGUF") from None


def _run(command: list[str], checkout: Path, log: Callable[[str], None]) -> list[str]:
    """Run a program of the checkout to its end; returns the lines of its output."""
    env = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    env |= {
        "PYTHONPATH": str(checkout / "gguf-py"),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            command,
            env=env,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise ProgramFailed(f"cannot start {command[0]}: {error.strerror}") from None
    with process:
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                log(lines[-1])
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise ProgramFailed(_why(lines, command[0], process.returncode))
    return lines


def _why(lines: list[str], interpreter: str, code: int) -> str:
    """The converter's failure in one line."""
    output = [line for line in lines[-LAST_LINES:] if line.strip()]
    last = output[-1] if output else f"it ended with {code} and printed nothing"
    missing = last.partition("No module named ")[2].strip("'\"")
    if missing:
        return (
            f"llama.cpp's converter needs {missing}, which {interpreter} does not have: give a "
            "Python that has torch and transformers with --python"
        )
    return f"llama.cpp's converter failed: {json.dumps(last, ensure_ascii=False)[1:-1][:300]}"
