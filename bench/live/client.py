"""A client of `kkoracle serve` that goes on asking while models change under it."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

ASK_EVERY_S = 0.5
ANSWER_S = 120.0


@dataclass(slots=True)
class AskingClient:
    """Asks the endpoint twice a second, and counts what it gets."""

    url: str
    asked: int = 0
    answered: int = 0
    versions: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While the block lasts; answers under way are waited for."""
        clock = threading.Thread(target=self._tick, daemon=True)
        clock.start()
        try:
            yield
        finally:
            self._stop.set()
            clock.join()
            for thread in self._threads:
                thread.join(ANSWER_S)

    def _tick(self) -> None:
        while not self._stop.wait(ASK_EVERY_S):
            thread = threading.Thread(target=self._ask, args=(self.asked,), daemon=True)
            self.asked += 1
            self._threads.append(thread)
            thread.start()

    def _ask(self, number: int) -> None:
        question = f"Πόσους εργαζόμενους απολύει η «Καθαρή Αύρα {number}»;"
        body = json.dumps(
            {
                "model": "tuned",
                "messages": [{"role": "user", "content": question}],
                "max_tokens": 12,
            }
        ).encode()
        request = urllib.request.Request(
            f"{self.url}/chat/completions", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as reply:
                told = json.load(reply)
            self.answered += bool(told["choices"])
            if number % 8 == 0:
                with urllib.request.urlopen(f"{self.url}/models", timeout=ANSWER_S) as reply:
                    self.versions.add(json.load(reply)["data"][0]["root"])
        except (OSError, ValueError, KeyError) as error:
            self.errors.append(repr(error))
