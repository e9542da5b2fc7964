"""`kkoracle batch run`: the requests of a file through our own engine, as `vllm run-batch` does it.

It knows nothing of tasks or archives. Replies are appended to OUT.partial as they come, in whatever
order they end, and the file takes its name when it is whole; so the same command goes on where it
stopped, with nothing asked twice but what was under way. Memory is eight bytes a request.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import orjson

from exchange.errors import BadFile, Stopped, UsageError
from exchange.files import PARTIAL, complete
from exchange.inference.engine import Engine, EngineDescription, Message, PrefixSharing
from exchange.records import TOO_LONG
from workers.batch.lines import (
    BadRequest,
    BatchRequest,
    error_line,
    read_lines,
    read_request,
    reply_line,
)

AHEAD = 8  # requests read beyond the width, so that a free row never waits
MOST_REQUESTS = 10**8  # of a file
MOST_PREFIXES = 16  # beginnings that are kept computed: a prompt of each kind of task
BEGINNING = 200  # letters of a request, by which those with one beginning are known
_TOO_LONG = "the prompt is too long for the model's context"  # what an endpoint would say


@dataclass(slots=True)
class BatchRun:
    """What became of a file's requests."""

    requests: int = 0
    before: int = 0  # answered by a run before this one
    answered: int = 0
    refused: int = 0  # answered with an error


def run_batch(
    engine: Engine,
    source: Path,
    target: Path,
    names: frozenset[str],
    *,
    grace_s: float = 30.0,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> BatchRun:
    """Answer every request of a file.

    Args:
        target: where the replies go; one that is there is whole, and stays.
        names: by which requests may call the engine's model.
        grace_s: seconds for what is under way once `stop` is true.
        progress: called with bytes of the file read, and in all.

    Raises:
        Stopped: before all was answered; the same call goes on.
        UsageError: a request is for another model.
        BadFile: what stands in OUT.partial was made from another file.
    """
    done = BatchRun()
    if target.exists():
        return done
    partial = target.with_name(target.name + PARTIAL)
    target.parent.mkdir(parents=True, exist_ok=True)
    answered = _answered(partial)
    with source.open("rb") as asked, partial.open("ab") as replies:
        runner = _FileRunner(engine, names, replies, done)
        total = source.stat().st_size
        for number, line in enumerate(read_lines(asked)):
            mark = _mark(line.data)
            done.requests += 1
            if number < len(answered) and answered[number]:
                if answered[number] != mark:
                    raise BadFile(
                        f"{partial} holds replies to another file than {source}: remove it, or "
                        "name another"
                    )
                done.before += 1
                continue
            if stop():
                break
            runner.submit(number, mark, line.data)
            progress(line.end, total)
        deadline = time.monotonic() + grace_s
        while runner.is_busy and not (stop() and time.monotonic() > deadline):
            runner.step()
        if stop():
            raise Stopped(f"stopped: {source.name} goes on with the same command")
    complete(partial, target)
    return done


class _FileRunner:
    """A file's requests on their way through the engine."""

    def __init__(
        self, engine: Engine, names: frozenset[str], replies: BinaryIO, done: BatchRun
    ) -> None:
        self._engine, self._names = engine, names
        self._replies, self._done = replies, done
        self._description: EngineDescription = engine.describe()
        self._under_way: dict[int, tuple[str, BatchRequest]] = {}  # by ticket
        self._beginnings: dict[str, list[Message] | None] = {}  # None: its prefix is computed

    @property
    def is_busy(self) -> bool:
        return bool(self._under_way)

    def submit(self, number: int, mark: int, line: bytes) -> None:
        """Give one line to the engine, or answer it; waits while the batch is full."""
        name = f"{number}-{mark:016x}"
        custom_id = ""
        try:
            request = read_request(line)
            custom_id = request.custom_id
            if request.model not in self._names:
                raise UsageError(
                    f"the file asks for the model {request.model[:80]!r}, and this engine has "
                    f"{self._description.model!r}: set [model] name or [work] served_as"
                )
            self._share_prefix(request.messages)
            ticket = self._engine.submit(
                request.messages, request.max_tokens, request.seed, sampling=request.sampling
            )
        except BadRequest as error:
            self._refuse(error_line(name, error.custom_id, 400, str(error)))
            return
        except ValueError:
            self._refuse(error_line(name, custom_id, 400, _TOO_LONG))
            return
        self._under_way[ticket] = (name, request)
        while len(self._under_way) >= self._description.width + AHEAD:
            self.step()

    def step(self) -> None:
        """One step of the engine; what has ended is written at once."""
        for output in self._engine.step():
            if output.ticket not in self._under_way:
                continue
            name, request = self._under_way.pop(output.ticket)
            if output.error:
                said = _TOO_LONG if output.error == TOO_LONG else output.error
                status = output.error.removeprefix("endpoint-")
                code = int(status) if status.isdigit() else 400
                self._refuse(error_line(name, request.custom_id, code, said))
            else:
                self._replies.write(reply_line(name, request, output))
                self._done.answered += 1
        self._replies.flush()

    def _share_prefix(self, messages: list[Message]) -> None:
        """Compute once what requests begin with, as the second with a beginning comes."""
        if not isinstance(self._engine, PrefixSharing):
            return
        beginning = messages[-1]["content"][:BEGINNING]
        first = self._beginnings.get(beginning)
        if first:
            self._engine.share_prefix(first, messages)
            self._beginnings[beginning] = None
        elif beginning not in self._beginnings and len(self._beginnings) < MOST_PREFIXES:
            self._beginnings[beginning] = messages

    def _refuse(self, line: bytes) -> None:
        self._replies.write(line)
        self._done.refused += 1


def _mark(line: bytes) -> int:
    return int.from_bytes(blake2b(line.strip(), digest_size=8).digest(), "big") or 1


def _answered(partial: Path) -> array[int]:
    """By number of the request the mark of its line, 0 for one without a reply yet.

    A line that was cut as the run was killed goes.
    """
    found = array("Q")
    if not partial.exists():
        return found
    whole = 0
    with partial.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            try:
                number, _, mark = str(orjson.loads(line)["id"]).removeprefix("kk-").partition("-")
                place, value = int(number), int(mark, 16)
                if not 0 <= place < MOST_REQUESTS:
                    raise ValueError(place)
            except (ValueError, KeyError, TypeError):
                raise BadFile(f"{partial} was not written by `kkoracle batch run`") from None
            if place >= len(found):
                found.extend([0] * (place + 1 - len(found)))
            found[place] = value
    with partial.open("rb+") as file:
        file.truncate(whole)
    return found
