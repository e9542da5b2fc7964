"""Datasette over the same file, for `bench studio`; run by the peer's interpreter.

Arguments: the SQLite file, rounds, paths. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from asgi import measure  # type: ignore[import-not-found]  # of this folder, see above
from datasette.app import Datasette


async def main() -> None:
    """Serve nothing, ask in this process."""
    file, rounds, *paths = sys.argv[1:]
    # Its limits end a query after a second; what takes longer is to be seen.
    peer = Datasette([], immutables=[file], settings={"sql_time_limit_ms": 60_000})
    await peer.invoke_startup()
    print(json.dumps(await measure(peer.app(), paths, int(rounds))))


asyncio.run(main())
