"""Judge many pairs and print processor seconds, pairs, accepted pairs, and memory in MB."""

from __future__ import annotations

import resource
import sys
import time

from bench.checks.corpus import chunks
from exchange.records import Task
from workers.grading import grade


def main(pairs: int, seed: int) -> None:
    """What is judged is made outside the clock, a few hundred chunks at a time."""
    spent = judged = accepted = 0.0
    waiting: list[tuple[Task, str]] = []

    def work() -> None:
        nonlocal spent, judged, accepted
        started = time.process_time()
        for task, reply in waiting:
            found = grade(task, reply, "stop")
            judged += len(found.pairs)
            accepted += found.accepted
        spent += time.process_time() - started
        waiting.clear()

    for number, told in enumerate(chunks(pairs, seed)):
        task = Task(
            id=f"{number:024x}",
            archive="paper",
            kind="chunk",
            chunk_ids=("c",),
            recipe="000000",
            text=told.text,
            header=told.header,
        )
        waiting.append((task, told.reply))
        if len(waiting) == 500:
            work()
    work()
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(round(spent, 1), int(judged), int(accepted), rss)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
