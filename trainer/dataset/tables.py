"""Records of Parquet and Arrow files, as `datasets` and the Hub keep them (extra `parquet`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exchange.errors import UserError

_BATCH = 1024  # records


def records(path: Path) -> Iterator[Mapping[str, Any]]:
    """The records of one file, a batch at a time.

    Raises:
        UserError: pyarrow is not installed, or the file is not what its name says.
    """
    try:
        import pyarrow as pa
        import pyarrow.ipc as ipc
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(
            f"{path.name} needs pyarrow: run `pip install 'kkoracle[parquet]'`"
        ) from None
    try:
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as table:
                for batch in table.iter_batches(_BATCH):
                    yield from batch.to_pylist()
        else:
            with pa.memory_map(str(path)) as file:  # `datasets` writes streams
                for batch in ipc.open_stream(file):
                    yield from batch.to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"cannot read {path}: {str(error).splitlines()[0]}") from None
