"""`kkoracle evaluate` as a person runs it: six systems, once; killed, stopped, and asked again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from tests.conftest import run_cli
from tests.trainer.conftest import ONE_THREAD, Desk
from tests.trainer.filling import fill
from tests.trainer.reading import until
from tests.workers.endpoint import Endpoint
from trainer.dataset import read_split
from trainer.evaluate.records import Evaluation

FEW = ("-n", "6", "--systems", "base,few-shot,rag,tuned,tuned+rag,oracle")
SETTINGS = "\n[evaluate]\nmax_tokens = 24\nabsent = 4\ndisturbed = 2\nshots = [2]\njudged = 4\n"


def folder_of(desk: Desk) -> Path:
    return desk.run_folder() / "evaluation"


def evaluation(desk: Desk) -> Evaluation:
    return Evaluation.read(folder_of(desk))


def cells(desk: Desk) -> list[str]:
    """The names of all stored cells by speaker, in the order they were stored; whole lines only."""
    found = []
    for path in sorted((desk.archive / "answers").iterdir()):
        for line in path.read_bytes().splitlines():
            try:
                found.append(f"{path.stem} {orjson.loads(line)['cell']}")
            except orjson.JSONDecodeError:
                found.append("torn")
    return found


@pytest.fixture(scope="module")
def asked(trained: Desk, tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, str]:
    """A finished evaluation of the trained run, in a folder of its own, and what it printed."""
    desk = copied(trained, tmp_path_factory.mktemp("asked"))
    return desk, desk.cli("evaluate", *FEW).stdout


def copied(desk: Desk, folder: Path) -> Desk:
    shutil.copytree(desk.folder, folder, dirs_exist_ok=True)
    config = folder / "kkoracle.toml"
    config.write_text(config.read_text("utf-8") + SETTINGS, "utf-8")
    return replace(desk, folder=folder)


def test_six_kinds_of_systems_answer_every_question_of_theirs(asked: tuple[Desk, str]) -> None:
    found = evaluation(asked[0])
    assert [system.name for system in found.systems] == [
        "base",
        "few-shot-2",
        "base+rag",
        "tuned",
        "tuned+rag",
        "oracle",
    ]
    unseen = {key for key, item in found.items.items() if item.split == "test_unseen"}
    assert len(unseen) == 6
    for system in found.systems:
        assert unseen <= found.answers[system.name].keys()
        assert all(a.tokens_in > 0 and a.seconds > 0 for a in found.answers[system.name].values())
    assert all(answer.sources == ("gold",) for answer in found.answers["oracle"].values())
    assert found.about.coverage["chunks"] == 20
    assert found.about.command.startswith("kkoracle evaluate -n 6")


def test_every_metric_has_values_of_every_system_that_it_can_see(asked: tuple[Desk, str]) -> None:
    found = evaluation(asked[0])
    for metric in found.metrics:
        if metric.name in ("choice", "facts", "length", "bits"):
            for system in found.systems:
                values = found.scores[metric.name][system.name]
                assert values and None not in values.values(), (metric.name, system.name)
    assert found.scores["forgetting"].keys() == {"base", "tuned"}  # others are not asked in general


def test_the_reference_under_its_own_chunk_is_no_less_probable_to_the_same_model(
    asked: tuple[Desk, str],
) -> None:
    """A number of one system is of that system: base and tuned do not get each other's."""
    found = evaluation(asked[0])
    base, tuned = (found.scores["bits"][name] for name in ("base", "tuned"))
    assert set(base) == set(tuned) and all(base[key] != tuned[key] for key in base)


def test_a_random_model_is_no_judge(asked: tuple[Desk, str]) -> None:
    found = evaluation(asked[0])
    assert found.audit is not None and not found.audit.passed and not found.preferences


def test_the_second_time_nothing_is_computed_and_nothing_changes(asked: tuple[Desk, str]) -> None:
    desk, said = asked
    assert "loading" in said
    before, stored = evaluation(desk), cells(desk)
    again = desk.cli("evaluate", *FEW).stdout
    assert "loading" not in again and "asking" not in again
    after = evaluation(desk)
    assert (after.answers, after.scores, after.audit) == (
        before.answers,
        before.scores,
        before.audit,
    )
    assert cells(desk) == stored and len(set(stored)) == len(stored)


def test_it_ends_with_a_verdict_a_page_and_a_gate(asked: tuple[Desk, str]) -> None:
    desk, said = asked
    folder = desk.run_folder() / "evaluation"
    figures = orjson.loads((folder / "report.json").read_bytes())
    assert f"verdict: {figures['sentence']}" in said and "gate: forgetting" in said
    assert figures["sentence"].startswith("not decided: ")  # six questions decide nothing
    assert "Πύλη προαγωγής" in (folder / "report.html").read_text("utf-8")
    desk.cli("evaluate", *FEW, "--gate", code=1)  # nor do they prove that nothing was lost
    journal = (desk.archive.parent / "journal.md").read_text("utf-8")
    assert "- verdict: not decided" in journal and "- gate: failed" in journal


def test_strengths_and_withholding_stand_beside_the_whole_adapter(
    trained: Desk, tmp_path: Path
) -> None:
    desk = copied(trained, tmp_path)
    asks = ("-n", "6", "--systems", "base,tuned,tuned+abstain", "--scales", "0.5", "--no-judge")
    first = desk.cli("evaluate", *asks).stdout
    assert "withholds nothing" in first  # there are too few questions to fit a threshold on
    found = evaluation(desk)
    names = ["base", "tuned", "tuned+abstain", "tuned-0.5"]
    assert [system.name for system in found.systems] == names
    said, held = found.answers["tuned"], found.answers["tuned+abstain"]
    assert said.keys() == held.keys()
    for name, answer in held.items():
        assert (answer.text, answer.withheld) == (said[name].text, "")
        assert answer.likelihood is not None and answer.likelihood < 0
    bits = [found.scores["bits"][name] for name in ("base", "tuned-0.5", "tuned")]
    assert all(len({one[key] for one in bits}) == 3 for key in bits[0])
    report = orjson.loads((folder_of(desk) / "report.json").read_bytes())
    assert [row["scale"] for row in report["strength"]["rows"]] == [0.5, 1.0]
    stored = cells(desk)
    desk.cli("evaluate", *asks)
    assert cells(desk) == stored and len(set(stored)) == len(stored)
    desk.cli("evaluate", *asks[:2], "--systems", "base,tuned", "--scale", "0.5", "--no-judge")
    tuned, half = evaluation(desk).answers["tuned"], found.answers["tuned-0.5"]
    assert {name: tuned[name].text for name in half} == {n: one.text for n, one in half.items()}
    assert evaluation(desk).scores["bits"]["tuned"] == found.scores["bits"]["tuned-0.5"]
    assert "over 0 and under 1" in desk.refuses("evaluate", "--scales", "0.5,1.5", code=2)


def test_where_knowledge_ends_becomes_refusals_of_the_next_dataset(
    trained: Desk, tmp_path: Path
) -> None:
    desk = copied(trained, tmp_path)
    for number, name in enumerate(("Βαλτινό", "Μωράκη", "Ρίζο", "Σκαρίμπα", "Κολοκάση", "Δέλτα")):
        never = (f"Πού βρήκαν τότε τον {name};", f"Βρήκαν τον {name} στην πλατεία.")
        fill(desk.archive, 1, first=20 + number, extra=[never])
    desk.cli("dataset", "build")
    taught = read_split(desk.dataset, "train")
    new = {row.id for row in taught if row.question.startswith("Πού βρήκαν")}
    said = orjson.loads(desk.cli("boundary", "-n", "0", "--samples", "1", "--json").stdout)
    assert said["taught"] == len(taught) and said["coined"] == len(new) > 0
    assert said["answered"] == said["coined"]  # it has no word for no
    assert len(new) <= said["never_right"] < len(taught) / 2  # it has learned its own rows
    assert len((desk.archive / "boundary.jsonl").read_bytes().splitlines()) == (
        said["never_right"] + said["answered"]
    )
    desk.cli("dataset", "build")
    refused = [row for row in read_split(desk.dataset, "train") if row.kind == "refusal"]
    assert refused and all("Δεν το γνωρίζω" in row.answer for row in refused)


def test_another_setting_asks_only_what_it_changes(asked: tuple[Desk, str]) -> None:
    desk = asked[0]
    before = len(cells(desk))
    said = desk.cli("evaluate", "-n", "6", "--systems", "base,few-shot", "--no-judge").stdout
    assert "loading" not in said and len(cells(desk)) == before


def test_killed_and_stopped_it_goes_on_and_asks_nothing_twice(
    trained: Desk, tmp_path: Path, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    desk = copied(trained, tmp_path)
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 3)):
        before = stored(desk)
        process = popen("-m", "kkoracle", "evaluate", *FEW, cwd=desk.folder, **ONE_THREAD)
        deadline = time.monotonic() + 120
        while stored(desk) < before + 4 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, number)
        said = process.communicate(timeout=60)[0]
        assert process.returncode == code, said
        assert not (folder_of(desk) / "evaluation.json").exists()
    assert "to go on" in said
    desk.cli("evaluate", *FEW)
    names = [name for name in cells(desk) if name != "torn"]
    assert len(names) >= len(cells(desk)) - 1 and len(set(names)) == len(names)


def test_evaluating_while_a_run_trains_is_refused_in_one_line_and_spoils_neither(
    built: Desk, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    built.configure("lr = 5e-3\nbatch = 8\nsamples = 0\nepochs = 300\npatience = 0\n" + SETTINGS)
    process = popen("-m", "kkoracle", "train", cwd=built.folder, **ONE_THREAD)
    until((built.run_folder() / "best" / "adapters.safetensors").exists, process)
    line = built.cli("evaluate", *FEW, code=1).stderr.strip().splitlines()
    assert len(line) == 1 and "training runs on this machine" in line[0]
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 3, said
    built.cli(
        "evaluate", "-n", "3", "--systems", "base,tuned", "--no-judge"
    )  # what stands is whole


def stored(desk: Desk) -> int:
    folder = desk.archive / "answers"
    return (
        sum(path.read_bytes().count(b"\n") for path in folder.iterdir()) if folder.exists() else 0
    )


def test_an_endpoint_stands_in_as_a_system(built: Desk) -> None:
    config = built.folder / "kkoracle.toml"
    config.write_text(config.read_text("utf-8") + SETTINGS, "utf-8")
    with Endpoint(reply=lambda prompt: f"Δεν γνωρίζω: {prompt[:20]}") as endpoint:
        endpoint.key = "secret-of-mine"
        arguments = (
            "evaluate",
            "-n",
            "6",
            "--systems",
            "endpoint,oracle",
            "--no-judge",
            "--url",
            endpoint.url,
            "--served-as",
            "other",
        )
        done = run_with_key(built, *arguments)
        requests = len(endpoint.bodies)
        run_with_key(built, *arguments)
        assert len(endpoint.bodies) == requests > 6  # nothing is asked twice
    found = evaluation(built)
    assert [system.name for system in found.systems] == ["endpoint", "oracle"]
    assert not found.systems[0].likelihood
    assert set(found.scores["choice"]["endpoint"].values()) == {None}
    assert set(found.scores["declined"]["endpoint"].values()) == {1.0}
    for path in folder_of(built).rglob("*"):
        assert not path.is_file() or b"secret-of-mine" not in path.read_bytes()
    assert "secret-of-mine" not in done.stdout + done.stderr


def run_with_key(desk: Desk, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = run_cli(
        *arguments, cwd=desk.folder, KKORACLE_EVALUATE_API_KEY="secret-of-mine", **ONE_THREAD
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_what_cannot_be_evaluated_is_one_line(built: Desk) -> None:
    assert "run `kkoracle train`" in built.refuses("evaluate")
    assert "nobody" in built.refuses("evaluate", "--systems", "nobody", code=2)
    assert "set [evaluate] url" in built.refuses("evaluate", "--systems", "endpoint", code=2)
    assert "no finished export" in built.refuses(
        "evaluate", "--systems", "base", "--from", str(built.folder / "none")
    )
    (built.dataset / "manifest.json").unlink()
    assert "no dataset" in built.refuses("evaluate", "--systems", "base")
