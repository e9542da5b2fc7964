"""Three commands from a file of scored answers to a scorer that serves; and what goes wrong."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from exchange.store.review import Review
from tests.conftest import SENTENCES, processes
from tests.trainer.conftest import ONE_THREAD, Desk
from tests.trainer.filling import fill
from tests.trainer.reading import table
from tools.tiny_model import make_tiny_model

MARKS = ("λάθος", "μέτρια", "καλή", "άριστη")
COLOURS = ("κόκκινο", "πράσινο", "μαύρο", "άσπρο", "γαλάζιο", "καφέ")
RECIPE = """[score]
candidates = "decoder"
recipe = "full"
lr = 5e-3
batch = 16
epochs = 12
warmup = 0.1
patience = 0
"""


def answers(path: Path, count: int = 240, seed: int = 1) -> Path:
    """An easy examination: one word of the answer tells its score, whatever the question."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        level = rng.randrange(4)
        said = [*rng.choices(COLOURS, k=2), MARKS[level]]
        rng.shuffle(said)
        rows.append(
            {
                "question": f"Ερώτηση {number % 40};",
                "guide": "χρώματα",
                "answer": " ".join(said),
                "score": level,
                "maximum": 3,
                "id": f"{seed}-{number}",
            }
        )
    path.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    return path


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with a scorer that has learned four words."""
    folder = tmp_path_factory.mktemp("scorer")
    said = " ".join([*COLOURS, *MARKS, "Ερώτηση Οδηγός χρώματα Απάντηση Βαθμός 0-3"])
    texts = [*SENTENCES, said, said, said] * 3
    model = make_tiny_model(folder / "model", texts)
    desk = Desk(folder, model)
    (folder / "kkoracle.toml").write_text(
        f'data = "data"\narchive = "paper"\n[model]\nname = "{model}"\n'
        f"[dataset]\nvalid = 0.15\nunseen = 0.15\n{RECIPE}",
        "utf-8",
    )
    desk.cli("score", "train", str(answers(folder / "answers.json")))
    return desk


def ask(address: str, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
    request = urllib.request.Request(address, body, {"content-type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    with processes() as popen:
        process = popen(
            "-u", "-m", "kkoracle", "score", "serve", "--port", "0", cwd=desk.folder, **ONE_THREAD
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/score", line)
        assert found, line + process.stdout.read()
        yield found[0]


def get(address: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, None, headers)) as response:
            return response.status, response.read().decode(), dict(response.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), {}


def check_pages(address: str) -> None:
    """The scorer tells tools what it takes, people get a form, and another site's page nothing."""
    assert json.loads(get(f"{address}/health")[1])["status"] == "ok"
    described = json.loads(get(f"{address}/openapi.json")[1])
    posted = described["paths"]["/score"]["post"]
    (schema, _) = posted["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert described["openapi"].startswith("3.1") and schema["required"] == ["question", "answer"]
    code, page, headers = get(f"{address}/docs")
    assert (
        code == 200
        and "<form" in page
        and "default-src 'none'" in headers["Content-Security-Policy"]
    )
    assert "/score" in get(f"{address}/page.js")[1]
    assert get(f"{address}/health", Host="evil.example")[0] == 421
    assert get(f"{address}/health", Origin="http://evil.example")[0] == 403


def test_a_file_trains_evaluates_and_serves_in_three_commands(scorer: Desk) -> None:
    said = scorer.cli("score", "eval").stdout
    assert "bag of words" in said and "unseen questions" in said
    folder = scorer.folder / "data" / "scorer" / "runs" / "default"
    entries = {
        (e["system"], e["test"]): e
        for e in json.loads((folder / "eval.json").read_text())["entries"]
    }
    for test in ("unseen_answers", "unseen_questions"):
        assert entries["tuned", test]["figures"]["qwk"] > 0.7
        assert entries["length alone", test]["figures"]["qwk"] < 0.9
    row = {"question": "Ερώτηση 3;", "guide": "χρώματα", "maximum": 3}
    with served(scorer) as address:
        few = {**row, "answer": "μαύρο άσπρο λάθος"}
        many = {**row, "answer": "άριστη μαύρο άσπρο"}
        code, one = ask(address, json.dumps(many).encode())
        assert code == 200 and one["level"] == 3 and len(one["probabilities"]) == 4
        code, both = ask(address, json.dumps([few, many, {**few, "maximum": 20}]).encode())
        assert [each["level"] for each in both[:2]] == [0, 3]
        assert both[2]["top"] == 20 and 0 <= both[2]["score"] <= 20
        long = {**row, "answer": "μαύρο " * 20_000}  # far beyond the context: a score all the same
        code, cut = ask(address, json.dumps(long).encode())
        assert code == 200 and cut["cut"] and cut["abstained"] and 0 <= cut["score"] <= 3
        assert one["nearest"] and one["missed"] == ["χρώματα"]
        check_pages(address.removesuffix("/score"))
        assert ask(address, b"{") == (400, {"error": "not_json"})
        assert ask(address, b"x=1", "application/x-www-form-urlencoded")[0] == 415
        assert ask(address, b"[7]") == (422, {"error": "item 1: not_object"})
        assert ask(address, b"{}") == (422, {"error": "no_question"})
        assert ask(address, json.dumps([few] * 300).encode())[0] == 413
        assert ask(address, b" " * (1 << 21))[0] == 413
        assert ask(address.replace("/score", "/else"), b"{}")[0] == 404


def test_the_same_training_again_does_nothing_and_another_is_refused(scorer: Desk) -> None:
    said = scorer.cli("score", "train", str(scorer.folder / "answers.json")).stdout
    assert "finished already" in said
    line = scorer.refuses(
        "score", "train", str(scorer.folder / "answers.json"), "--epochs", "3", code=2
    )
    assert "epochs was 12, is 3" in line


def test_a_file_that_was_taught_tests_nothing_and_a_fresh_one_does(scorer: Desk) -> None:
    kept = scorer.folder / "data" / "scorer" / "runs" / "default" / "data" / "train.jsonl"
    rows = [json.loads(line) for line in kept.read_text("utf-8").splitlines()]
    again = scorer.folder / "again.jsonl"
    again.write_text("\n".join(json.dumps({**row, "maximum": 3}) for row in rows), "utf-8")
    assert "all rows of these files were taught" in scorer.refuses("score", "eval", str(again))
    fresh = answers(scorer.folder / "fresh.json", 100, seed=9)
    assert "unseen answers" in scorer.cli("score", "eval", str(fresh)).stdout


def test_a_file_of_answers_becomes_a_table_also_when_it_is_killed(
    scorer: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    rows = json.loads(answers(scorer.folder / "fresh.json", 400, seed=3).read_text("utf-8"))
    with (scorer.folder / "class.csv").open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, delimiter=";")
        sheet.writerow(["Ερώτηση", "Απάντηση μαθητή", "Τμήμα"])
        sheet.writerows([row["question"], row["answer"], "Β2"] for row in rows)
    out = scorer.folder / "scored.csv"
    arguments = ("score", "apply", "--file", "class.csv", "--out", "scored.csv")
    process = popen("-m", "kkoracle", *arguments, cwd=scorer.folder, **ONE_THREAD)
    while process.poll() is None and not (out.exists() and out.read_bytes().count(b"\n") > 60):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    said = scorer.cli(*arguments).stdout
    assert re.search(r"not used: 'Τμήμα'", said)
    counts = re.search(r"(\d+) answers scored by .* (\d+) scored before", said.replace("\n", " "))
    assert counts and int(counts[1]) + int(counts[2]) == 400 and int(counts[2]) >= 64
    found = table(out)
    assert len(found) == 400 and {line["Τμήμα"] for line in found} == {"Β2"}
    close = [
        abs(float(line["score"]) - row["score"]) for line, row in zip(found, rows, strict=True)
    ]
    assert sum(close) / 400 < 0.5
    # The guide is that under which the question was taught.
    assert any("χρώματα" in line["guide missed"] for line in found)
    assert any(": " in line["nearest taught answers"] for line in found)
    assert "another scorer or" not in scorer.cli(*arguments).stdout
    assert "answer=HEADING" in scorer.refuses(*arguments, "--columns", "reply=x", code=2)


def test_a_scorer_is_one_folder_that_moves_and_its_base_may_be_elsewhere(
    scorer: Desk, tmp_path: Path
) -> None:
    moved = shutil.copytree(scorer.folder / "data/scorer/runs/default", tmp_path / "marks")
    base = shutil.copytree(scorer.model, tmp_path / "elsewhere")
    away = Desk(tmp_path, base)
    gone = json.loads((moved / "scorer.json").read_text("utf-8")) | {"model": "/nowhere/model"}
    (moved / "scorer.json").write_text(json.dumps(gone), "utf-8")
    rows = answers(tmp_path / "fresh.json", 80, seed=5)
    line = away.refuses("score", "apply", "--file", str(rows), "--name", str(moved))
    assert "/nowhere/model" in line
    away.cli(
        "score",
        "apply",
        "--file",
        str(rows),
        "--name",
        str(moved),
        "--base",
        str(base),
        "--out",
        str(tmp_path / "moved.jsonl"),
    )
    scorer.cli("score", "apply", "--file", str(rows), "--out", str(tmp_path / "home.jsonl"))
    one, other = (
        [
            (line["score"], line["confidence"])
            for line in map(json.loads, path.read_bytes().splitlines())
        ]
        for path in (tmp_path / "moved.jsonl", tmp_path / "home.jsonl")
    )
    assert one == other and len(one) == 80


def test_what_a_model_writes_for_the_student_is_left_out_unless_it_is_grounded(
    scorer: Desk, tmp_path: Path
) -> None:
    rows = answers(tmp_path / "few.json", 12, seed=6)
    out = tmp_path / "scored.csv"
    said = scorer.cli("score", "apply", "--file", str(rows), "--out", str(out), "--feedback").stdout
    found = table(out)
    shown = sum(bool(line["feedback"]) for line in found)
    left = re.search(r"left out: (.*)", said)
    counts = sum(map(int, re.findall(r"\d+", left[1]))) if left else 0
    assert len(found) == 12 == shown + counts


def test_an_untaught_base_stands_in_the_same_table(scorer: Desk) -> None:
    said = scorer.cli("score", "eval", "--base", str(scorer.model), "--shots", "2").stdout
    assert "2-shot" in said


def test_scores_of_pairs_are_stored_once_and_the_dataset_leaves_out_the_low_ones(
    scorer: Desk,
) -> None:
    fill(scorer.archive, 30)
    config = scorer.folder / "kkoracle.toml"
    plain = config.read_text("utf-8")
    said = scorer.cli("score", "apply").stdout
    counts = re.search(r"(\d+) pairs scored by \S+ (\d+) too unsure", said)
    assert counts and int(counts[1]) + int(counts[2]) == 90
    review = Review.read(scorer.archive)
    assert review is not None
    scored = review.all_scores()
    review.close()
    assert [name.partition(":")[0] for name in scored] == ["default"]
    values = next(iter(scored.values()))
    assert values and all(0 <= value <= 3 for value in values.values())
    assert f"{len(values)} scored before" in scorer.cli("score", "apply").stdout
    review = Review.open(scorer.archive)
    review.add_scores(next(iter(scored)), [(pair, 0.0) for pair in sorted(values)[:5]])
    review.close()
    config.write_text(plain.replace("[dataset]\n", "[dataset]\nmin_score = 0.1\n"), "utf-8")
    assert "low_score" in scorer.cli("dataset", "build").stdout
    config.write_text(plain, "utf-8")
    manifest = json.loads((scorer.dataset / "manifest.json").read_text())
    assert manifest["input"]["filtered"]["scorer"] == next(iter(scored))


@pytest.mark.parametrize("case", ["no digits", "wrong head", "nothing"])
def test_a_base_that_gives_no_digit_is_one_line(scorer: Desk, tmp_path: Path, case: str) -> None:
    model = shutil.copytree(scorer.model, tmp_path / "base")
    if case == "no digits":
        path = model / "tokenizer.json"
        raw = json.loads(path.read_text("utf-8"))
        hide = {"type": "Replace", "pattern": {"Regex": "[0-9]"}, "content": "ν"}
        raw["normalizer"]["normalizers"].append(hide)
        path.write_text(json.dumps(raw), "utf-8")
        said = "no token of its own for each of the ten digits"
    elif case == "wrong head":
        path = model / "config.json"
        raw = json.loads(path.read_text("utf-8"))
        raw |= {"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}
        path.write_text(json.dumps(raw), "utf-8")
        said = "T5ForConditionalGeneration has no head that the digits could be read from"
    else:
        (model / "config.json").unlink()
        said = "is no model folder"
    line = scorer.refuses(
        "score",
        "train",
        str(scorer.folder / "answers.json"),
        "--name",
        "other",
        "--model",
        str(model),
    )
    assert said in line


def test_a_killed_training_goes_on(
    scorer: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    file = str(scorer.folder / "answers.json")
    process = popen(
        "-m",
        "kkoracle",
        "score",
        "train",
        file,
        "--name",
        "killed",
        cwd=scorer.folder,
        **ONE_THREAD,
    )
    state = scorer.folder / "data" / "scorer" / "runs" / "killed" / "metrics.jsonl"
    while process.poll() is None and not (
        state.exists() and state.read_bytes().count(b"norm") > 60
    ):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert "no scorer 'killed' yet" in scorer.refuses("score", "eval", "--name", "killed")
    said = scorer.cli("score", "train", file, "--name", "killed").stdout
    assert "going on after step" in said
    one, other = (
        json.loads((scorer.folder / "data/scorer/runs" / name / "scorer.json").read_text())
        for name in ("default", "killed")
    )
    assert one["temperature"] == other["temperature"] and one["valid"] == other["valid"]


def test_without_a_file_or_a_scorer_the_commands_say_what_to_do(tmp_path: Path, desk: Desk) -> None:
    assert "name a FILE" in desk.refuses("score", "train", code=2)
    assert "kkoracle score train FILE" in desk.refuses("score", "eval")
    assert "kkoracle score train FILE" in desk.refuses("score", "serve")


def test_a_decoder_with_frozen_layers_is_taught_from_the_activation_cache(desk: Desk) -> None:
    path = desk.folder / "kkoracle.toml"
    recipe = RECIPE.replace('"full"', '"sft"').replace("epochs = 12", "epochs = 2\nlayers = 1")
    path.write_text(f"{path.read_text()}\n{recipe}")
    desk.cli("score", "train", str(answers(desk.folder / "answers.json", 60)), code=None)
    kept = [*(desk.folder / "data" / "scorer" / "trunk").glob("*/*.safetensors")]
    assert kept
    before = {one: one.stat().st_mtime_ns for one in kept}
    desk.cli("score", "train", str(desk.folder / "answers.json"), "--name", "other", code=None)
    assert before == {
        one: one.stat().st_mtime_ns
        for one in (desk.folder / "data" / "scorer" / "trunk").glob("*/*.safetensors")
    }
