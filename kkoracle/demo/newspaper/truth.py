"""Writes what is true of a newspaper as JSON, for the stages that are measured against it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from kkoracle.demo.newspaper.records import Newspaper


def truth(newspaper: Newspaper) -> dict[str, object]:
    """Stories with their address and facts, aliases, and the addresses to leave out."""
    stories = []
    for story in newspaper.stories:
        record = asdict(story)
        record["date"] = story.date.isoformat()
        record["words"] = story.words
        record["url"] = newspaper.addresses[story.id]
        stories.append(record)
    return {
        "name": newspaper.name,
        "stories": stories,
        "aliases": newspaper.aliases,
        "leave_outs": list(newspaper.leave_outs),
    }


def write_truth(newspaper: Newspaper, path: str | os.PathLike[str]) -> None:
    """Writes the truth to `path`, whole or not at all."""
    target = Path(path)
    draft = target.with_name(target.name + ".part")
    draft.write_text(json.dumps(truth(newspaper), ensure_ascii=False, indent=1), encoding="utf-8")
    draft.replace(target)
