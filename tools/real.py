"""`make real`: the whole way with a real pretrained model, and what has to be true of it.

    python -m tools.real DIRECTORY MODEL [--stories N]

`kkoracle demo --language en` prints a small English newspaper, serves and crawls it, generates
pairs with the model, builds, trains and compares; then evaluation, an endpoint, a chat and
mlx-lm's own command are asked. The last line is one JSON object with the figures; exit code 1 when
something that was to be true is not. Killed anywhere, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exchange.inference import openblas
from exchange.machine import python_module
from exchange.project import run_dir
from exchange.records import Pair
from exchange.store.spool import Spool
from workers.verify.step import CONTRAST, ROUND_TRIP
from workers.verify.threshold import area_under_curve

LEAST_FORM = 0.6  # of the replies; a model this small loses the form now and then
LEAST_PAIRS = 15
STEP_S = 1200  # longest of one step that is run here
_SPECIFIC = re.compile(r"\d[\d,]*|\b[A-Z][\w']+")


def main(argv: Sequence[str] | None = None) -> int:
    """Run all of it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.real")
    parser.add_argument("directory", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--stories", type=int, default=60)
    given = parser.parse_args(argv)
    directory, model = given.directory.resolve(), given.model.resolve()
    began = time.monotonic()
    demo = ("demo", "--language", "en", "--dir", str(directory), "--model", str(model))
    _run(Path.cwd(), *demo, "--stories", str(given.stories))
    figures: dict[str, Any] = {"demo_s": round(time.monotonic() - began)}
    figures |= generation_figures(directory)
    figures |= _comparison(directory)
    question = figures.pop("question")
    _run(directory, "evaluate")
    figures["served"] = ask_endpoint(directory, question)
    figures["chat"] = ask_chat(directory, question)
    figures["mlx_lm"] = ask_mlx_lm(directory, model, question)
    figures["seconds"] = round(time.monotonic() - began)
    wrong = problems(figures)
    for line in wrong:
        sys.stderr.write(f"make real: {line}\n")
    sys.stdout.write(json.dumps(figures | {"wrong": wrong}, ensure_ascii=False) + "\n")
    return 1 if wrong else 0


def problems(figures: dict[str, Any]) -> list[str]:
    """What was to be true and is not."""
    checks = (
        (figures["stories"] >= 60, "fewer than 60 stories were taken"),
        (figures["form"] >= LEAST_FORM, f"only {figures['form']:.0%} of the replies had the form"),
        (figures["pairs"] >= LEAST_PAIRS, f"only {figures['pairs']} pairs were kept"),
        (figures["open"] == 0, f"{figures['open']} tasks were left open"),
        (
            figures["tuned_loss"] < figures["base_loss"],
            "the tuned model does not beat the base on what it was taught",
        ),
        *((bool(figures[name]), f"{name} said nothing") for name in ("served", "chat", "mlx_lm")),
    )
    return [words for fine, words in checks if not fine]


def generation_figures(directory: Path) -> dict[str, Any]:
    """Form, pairs and, against the newspaper's own truth, how many of them are right."""
    spool = Spool.read(directory / "data" / "demo")
    try:
        counters = spool.counters()
        asked = spool.db.execute(
            "SELECT COUNT(*), SUM(state='done'), SUM(reason='no-pair') FROM tasks "
            "WHERE kind='chunk' AND state IN ('done', 'failed')"
        ).fetchone()
        kept, refused = list(spool.pairs()), list(spool.pairs("rejected"))
        titles = {story.id: story.title for story in spool.stories()}
    finally:
        spool.close()
    truth = json.loads((directory / "truth.json").read_text("utf-8"))
    by_title: dict[str, list[dict[str, Any]]] = {}
    for story in truth["stories"]:
        by_title.setdefault(story["title"], []).extend(story["facts"])

    def right(pairs: Sequence[Any]) -> int:
        return sum(
            is_right(pair.question, pair.answer, by_title.get(titles.get(story_id, ""), []))
            for pair, story_id in pairs
            if not pair.rephrase_of
        )

    truth_of = {
        pair.id: is_right(pair.question, pair.answer, by_title.get(titles.get(story_id, ""), []))
        for pair, story_id in kept
        if CONTRAST in pair.scores
    }
    sure = [truth_of[pair.id] for pair, _ in kept if pair.scores.get(CONTRAST, -1) >= 0]
    own = sum(not pair.rephrase_of for pair, _ in kept)
    others = sum(not pair.rephrase_of for pair, _ in refused)
    all_right = right(kept) + right(refused)
    return {
        "stories": counters.get("stories", 0),
        "chunk_tasks": asked[0],
        "form": round(1 - (asked[2] or 0) / max(1, asked[0]), 3),
        "open": counters.get("tasks.new", 0) + counters.get("tasks.queued", 0),
        "pairs": own,
        "rejected": {
            name.partition(".")[2]: count
            for name, count in counters.items()
            if name.startswith(("rejected.", "failed."))
        },
        "right_of_all": round(all_right / max(1, own + others), 3),
        "right_of_kept": round(right(kept) / max(1, own), 3),
        # Those whose answer the model finds likelier than the same with another value.
        "weighed": len(truth_of),
        "right_of_verified": round(sum(sure) / len(sure), 3) if sure else None,
        **{
            f"area_{signal}": area_of(signal, [pair for pair, _ in kept], truth_of)
            for signal in (ROUND_TRIP, CONTRAST)
        },
    }


def area_of(signal: str, pairs: Sequence[Pair], truth: Mapping[str, bool]) -> float | None:
    """How often a right pair has the higher score than a wrong one; None without both."""
    known = [pair for pair in pairs if pair.id in truth and signal in pair.scores]
    area = area_under_curve([p.scores[signal] for p in known], [truth[p.id] for p in known])
    return None if math.isnan(area) else round(area, 3)


def is_right(question: str, answer: str, facts: Sequence[dict[str, Any]]) -> bool:
    """Whether a pair says what the newspaper printed.

    The fact that is asked about shares most words with the question; the answer's names and
    numbers, of which it needs one, all stand in that fact's sentence.
    """
    if not facts:
        return False
    words = set(re.findall(r"\w+", question.lower()))
    fact = max(facts, key=lambda one: len(words & set(re.findall(r"\w+", one["sentence"].lower()))))
    told = _SPECIFIC.findall(answer[:1].lower() + answer[1:]) or _SPECIFIC.findall(answer)
    return bool(told) and all(one in fact["sentence"] for one in told)


def ask_endpoint(directory: Path, question: str) -> str:
    """What `kkoracle serve` answers over HTTP."""
    process = subprocess.Popen(
        python_module("kkoracle", "serve", "--port", "0"),
        cwd=directory,
        stdout=subprocess.PIPE,
        text=True,
        env=openblas.environment(),
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        url = next((found[0] for line in lines if (found := re.search(r"http://\S+\d", line))), "")
        if not url:
            return ""
        body = {
            "model": "tuned",
            "max_tokens": 48,
            "messages": [{"role": "user", "content": question}],
        }
        address = url.removesuffix("/v1") + "/v1/chat/completions"
        request = urllib.request.Request(
            address, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=STEP_S) as reply:
            said = json.loads(reply.read())
        return str(said["choices"][0]["message"]["content"])
    finally:
        process.terminate()
        process.wait(60)


def ask_chat(directory: Path, question: str) -> str:
    """What `kkoracle chat` answers a question from a pipe."""
    said = _captured(directory, python_module("kkoracle", "chat", "--alone"), question + "\n")
    lines = [line for line in said.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if not re.match(r"\d+ tokens", line)), "")


def ask_mlx_lm(directory: Path, model: Path, question: str) -> str:
    """What mlx-lm's own command answers with the adapter."""
    adapter = run_dir(directory / "data" / "demo")
    command = [
        *(sys.executable, "-m", "mlx_lm", "generate", "--model", str(model)),
        *("--adapter-path", str(adapter)),
        *("--prompt", question, "--max-tokens", "32"),
    ]
    said = _captured(directory, command, "")
    parts = said.split("==========")
    return parts[1].strip() if len(parts) > 2 else ""


def _comparison(directory: Path) -> dict[str, Any]:
    compare = json.loads((run_dir(directory / "data" / "demo") / "compare.json").read_text("utf-8"))
    taught = compare["shares"][0]
    return {
        **{name: taught[name] for name in ("base_loss", "tuned_loss", "base_exact", "tuned_exact")},
        "question": compare["rows"][0]["question"],
    }


def _run(directory: Path, *arguments: str) -> None:
    ended = subprocess.run(python_module("kkoracle", *arguments), cwd=directory, check=False)
    if ended.returncode:
        sys.exit(f"make real: `kkoracle {arguments[0]}` ended with code {ended.returncode}")


def _captured(directory: Path, command: Sequence[str], given: str) -> str:
    ended = subprocess.run(
        command,
        cwd=directory,
        input=given,
        capture_output=True,
        text=True,
        env=openblas.environment(),
        timeout=STEP_S,
        check=False,
    )
    if ended.returncode:
        sys.stderr.write(ended.stderr)
        return ""
    return ended.stdout


if __name__ == "__main__":
    sys.exit(main())
