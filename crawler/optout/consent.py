"""What was seen, and that the operator has confirmed it: `opt-outs.json` beside the archive."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from crawler.optout.signals import OptOutSignal
from exchange.files import write_atomic

FILE = "opt-outs.json"
FRESH_S = 86_400.0  # as robots.txt: looked at again every day


@dataclass(frozen=True, slots=True)
class Consent:
    """The last look, and what was confirmed."""

    looked_at: float
    signals: tuple[OptOutSignal, ...]
    accepted: tuple[OptOutSignal, ...] | None  # None: never confirmed
    accepted_at: str = ""
    how: str = ""

    @property
    def is_fresh(self) -> bool:
        return 0 <= time.time() - self.looked_at < FRESH_S

    @property
    def unconfirmed(self) -> tuple[OptOutSignal, ...]:
        """Wishes that the operator has not confirmed; fewer than before need no new word."""
        return tuple(signal for signal in self.signals if signal not in (self.accepted or ()))


def load(directory: Path) -> Consent | None:
    """What is known of an archive's site; None when nobody has looked, or the file is broken."""
    try:
        raw = orjson.loads((directory / FILE).read_bytes())
        return Consent(
            float(raw["looked_at"]),
            _signals(raw["signals"]),
            None if raw["accepted"] is None else _signals(raw["accepted"]),
            str(raw["accepted_at"]),
            str(raw["how"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def record_survey(directory: Path, signals: tuple[OptOutSignal, ...]) -> Consent:
    """Keep what a look has found; what was confirmed before stays confirmed."""
    before = load(directory)
    now = Consent(
        time.time(),
        signals,
        before.accepted if before else None,
        before.accepted_at if before else "",
        before.how if before else "",
    )
    return _write(directory, now)


def accept(directory: Path, consent: Consent, how: str) -> Consent:
    """Keep that the operator knows and goes on, with the date and the words seen."""
    at = dt.datetime.now().astimezone().isoformat(timespec="seconds")
    return _write(directory, Consent(consent.looked_at, consent.signals, consent.signals, at, how))


def _write(directory: Path, consent: Consent) -> Consent:
    write_atomic(directory / FILE, orjson.dumps(consent, option=orjson.OPT_INDENT_2))
    return consent


def _signals(raw: list[dict[str, str]]) -> tuple[OptOutSignal, ...]:
    return tuple(OptOutSignal(str(item["where"]), str(item["says"])) for item in raw)
