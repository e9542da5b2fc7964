"""`workers.run` whose engine hangs once: at its first step with work, if no earlier run did."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from exchange.inference.mlx.batch import BatchRow, ContinuousBatch
from workers import run

MARK = "TEST_STUCK"

if __name__ == "__main__":
    step = ContinuousBatch.step

    def stuck(batch: ContinuousBatch) -> list[tuple[BatchRow, str]]:
        mark = Path(os.environ[MARK])
        if batch.rows and not mark.exists():
            mark.touch()
            time.sleep(600)  # as a GPU that hangs: the interpreter goes on, the call never returns
        return step(batch)

    ContinuousBatch.step = stuck  # type: ignore[method-assign]
    sys.exit(run.main())
