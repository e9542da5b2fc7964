"""The header of a safetensors file, read and checked before MLX sees the file.

MLX believes what a header says: tensors that share their bytes load without a word, a shape whose
size overflows is an array without memory, and a header of any length is read whole. The format
(github.com/huggingface/safetensors) forbids all of these, and its own reader refuses them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import orjson

from exchange.errors import BadFile

MAX_HEADER = 100_000_000  # bytes; the format's own limit
_LENGTH = 8  # bytes before the header that hold its length
METADATA = "__metadata__"
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """What a file says of its tensors, by name and with `__metadata__`, and where they begin.

    Raises:
        BadFile: it cannot be read, was cut off, or its tensors are not one behind the other.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            if length > min(MAX_HEADER, size - _LENGTH):
                raise ValueError("its header is longer than the file or the format allows")
            header = orjson.loads(file.read(length))
        _check_tensors(header, size - _LENGTH - length)
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadFile(
            f"{path} is no sound safetensors file ({error}): copy or make it again"
        ) from None
    return dict(header), _LENGTH + length


def check_weights(folder: Path, pattern: str = "*.safetensors") -> None:
    """Check every file of weights in a folder.

    Raises:
        BadFile: one is not what the format asks for.
    """
    for path in sorted(folder.glob(pattern)):
        read_header(path)


def _check_tensors(header: dict[str, Any], size: int) -> None:
    """Each of the size that its shape asks for, and together all bytes, each byte once."""
    at = 0
    tensors = [(*about["data_offsets"], name) for name, about in header.items() if name != METADATA]
    for begin, end, name in sorted(tensors):
        if begin != at:
            raise ValueError(f"tensor {name!r} overlaps another, or leaves a gap")
        shape = header[name]["shape"]
        if not all(type(one) is int and one >= 0 for one in (*shape, begin, end)):
            raise ValueError(f"tensor {name!r} has no sound shape or place")
        if math.prod(shape) * _BITS[header[name]["dtype"]] != (end - begin) * 8:
            raise ValueError(f"tensor {name!r} has not the size of its shape")
        at = end
    if at != size:
        raise ValueError("its tensors are not as long as the file")
