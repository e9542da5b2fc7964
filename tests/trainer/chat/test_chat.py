"""The conversation in the terminal: who answers can change, sources are named, all can be saved."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import orjson
import pytest

from exchange.errors import UserError
from exchange.inference.engine import Message
from exchange.recipes.prompts import PromptTemplate
from tests.conftest import cli_environment
from tests.trainer.conftest import ONE_THREAD, Desk
from tests.trainer.filling import PEOPLE
from trainer.abstention import AnswerThreshold, adapter_sha
from trainer.chat.session import (
    ChatSession,
    ChatTurn,
    ReplyUsage,
    open_chat_models,
    save_transcript,
    transcript,
)
from trainer.dataset import read_split
from trainer.evaluate.rag import Document
from trainer.promote import versions
from trainer.tokenization import chat_messages

TEMPLATE = PromptTemplate("t", "{passages}\n\n{question}")
FOUND = [Document(str(n), f"Φωνή, {n}/5/2008, Τίτλος", f"κείμενο {n}") for n in range(3)]


def asked(session: ChatSession, found: list[Document], room: int) -> tuple[list[str], int]:
    """The prompt's texts and how many passages are in it, where `room` characters fit."""

    def fits(turns: list[Message]) -> bool:
        return sum(len(turn["content"]) for turn in turns) <= room

    turns, shown = session.prompt("Πότε;", found, TEMPLATE, fits)
    return [turn["content"] for turn in turns], len(shown)


def said(count: int) -> ChatSession:
    return ChatSession(
        "tuned", "Σύστημα.", turns=[ChatTurn(f"ε{n};", f"α{n}", "base") for n in range(count)]
    )


def ask(desk: Desk, *arguments: str, lines: list[str]) -> str:
    """Run `chat` with the lines as its input."""
    done = subprocess.run(
        [sys.executable, "-m", "kkoracle", "chat", *arguments],
        cwd=desk.folder,
        env=cli_environment(**ONE_THREAD),
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_prompt_holds_what_was_said_and_the_passages_before_the_question() -> None:
    texts, shown = asked(said(2), FOUND, 10_000)
    assert texts[:5] == ["Σύστημα.", "ε0;", "α0", "ε1;", "α1"] and shown == 3
    assert texts[5].index("κείμενο 2") < texts[5].index("κείμενο 0") < texts[5].index("Πότε;")


def test_what_does_not_fit_goes_oldest_words_first_then_passages() -> None:
    whole = sum(map(len, asked(said(2), FOUND, 10_000)[0]))
    assert asked(said(2), FOUND, whole - 1)[0][1:3] == ["ε1;", "α1"]
    texts, shown = asked(said(2), FOUND, 60)
    assert texts[0] == "Σύστημα." and len(texts) == 2 and 0 < shown < 3
    assert asked(said(2), FOUND, len("Σύστημα.Πότε;"))[1] == 0
    with pytest.raises(UserError, match="--max-tokens"):
        asked(said(0), [], 3)


def test_what_was_said_can_be_forgotten_and_need_not_be_told() -> None:
    session = said(2)
    session.forget()
    assert asked(session, [], 99)[0] == ["Σύστημα.", "Πότε;"] and len(session.turns) == 2
    session = said(2)
    session.alone = True
    assert asked(session, [], 99)[0] == ["Σύστημα.", "Πότε;"]


def test_markdown_names_the_sources_and_stays_text(tmp_path: Path) -> None:
    evil = Document("x", "[τίτλος](javascript:1) <script>", "κ", "", "javascript:alert(1)")
    good = Document("y", "Φωνή, 5/1/2008", "κ", "", "https://paper.example/a?b=1&c=<x>")
    session = ChatSession("rag")
    session.turns.append(
        ChatTurn("# Τι;", "<img src=x>\n# όχι τίτλος\x1b[31m", "rag", (evil, good))
    )
    text = transcript(session, "Φωνή", "tiny, run default")
    assert "## \\# Τι;" in text and "&lt;img src=x\\>\n\\# όχι τίτλος\n" in text
    assert "1. \\[τίτλος\\](javascript:1) &lt;script\\>" in text  # no link: not the web
    assert "2. [Φωνή, 5/1/2008](<https://paper.example/a?b=1&c=x>)" in text
    save_transcript(tmp_path / "a.md", text)
    with pytest.raises(UserError, match="exists already"):
        save_transcript(tmp_path / "a.md", text)
    with pytest.raises(UserError, match="cannot write"):
        save_transcript(tmp_path / "none" / "a.md", text)


def test_a_taught_question_is_answered_and_who_answers_can_change(trained: Desk) -> None:
    row = read_split(trained.dataset, "train")[0]
    known = f"Τι έκανε ο {PEOPLE[0]};"
    file = trained.folder / "talk.md"
    file.unlink(missing_ok=True)
    shown = ask(
        trained,
        "--alone",
        "--max-tokens",
        "40",
        lines=[
            "/sources",
            row.question,
            "/sources",
            "/base",
            row.question,
            "/tuned+rag",
            known,
            "/sources",
            "/wrong",
            f"/save {file}",
            f"/save {file}",
            "/quit",
            "never asked",
        ],
    )
    assert row.answer in shown and "base answers" in shown
    assert "nothing was asked yet" in shown
    assert "[1] 2001-02-03, Τίτλος: 100% of the answer's words" in shown
    assert re.search(r"\n    http://x/\d+\n    chunk .+\n    (taught )?pair(, not taught)? ", shown)
    assert "[1] Φωνή" in shown and "http://x/" in shown
    assert "no such command: /wrong" in shown and "exists already" in shown
    text = file.read_text("utf-8")
    assert text.count("\n## ") == 3 and "never asked" not in text
    assert [line for line in text.splitlines() if line in ("*tuned*", "*base*", "*tuned+rag*")] == [
        "*tuned*",
        "*base*",
        "*tuned+rag*",
    ]
    assert "](<http://" in text


def test_what_the_model_is_not_sure_of_is_withheld_and_its_strength_can_be_less(
    trained: Desk, tmp_path: Path
) -> None:
    shutil.copytree(trained.folder, tmp_path, dirs_exist_ok=True)
    desk = replace(trained, folder=tmp_path)
    row = read_split(desk.dataset, "train")[0]
    short = ("--alone", "--max-tokens", "40")
    assert "no threshold" in desk.refuses("chat", "--abstain")
    adapter = desk.run_folder()
    kept = AnswerThreshold(-0.9, adapter_sha(adapter), 1.0, "", "valid", 20, 10, 12, 10)
    kept.write(adapter)
    assert row.answer in ask(desk, *short, "--abstain", lines=[row.question])
    kept.replace(threshold=0.0).write(adapter)
    shown = ask(desk, *short, "--abstain", lines=[row.question, "/base", row.question])
    assert row.answer not in shown and shown.count("Δεν το γνωρίζω") == 1  # the base never says it
    assert "--scale 1" in desk.refuses("chat", "--abstain", "--scale", "0.75")
    shown = ask(desk, *short, "--scale", "0.01", lines=[row.question])
    assert "at strength 0.01" in shown and row.answer not in shown


def test_without_a_run_the_base_can_be_asked_and_the_rest_says_why_not(built: Desk) -> None:
    assert "kkoracle train" in built.refuses("chat")
    assert "--way tunned" in built.refuses("chat", "--way", "tunned", code=2)
    shown = ask(built, "--way", "rag", "--max-tokens", "4", lines=["Πότε;", "/tuned", "/sources"])
    assert "tuned is not here: there is base, rag" in shown


def test_ctrl_c_ends_an_answer_and_not_the_conversation(built: Desk) -> None:
    file = built.folder / "cut.md"
    process = subprocess.Popen(
        [sys.executable, "-m", "kkoracle", "chat", "--way", "base", "--max-tokens", "1800"],
        cwd=built.folder,
        env=cli_environment(**ONE_THREAD),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdin and process.stdout
    process.stdin.write("Πότε έγινε;\n".encode())
    process.stdin.flush()
    seen = b""
    while b"Ctrl-D ends\n" not in seen or seen.endswith(b"Ctrl-D ends\n"):
        seen += process.stdout.read1(64)  # until the first words of the answer
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(f"/save {file}\n".encode(), timeout=60)
    assert process.returncode == 0, rest
    assert b"stopped" in rest and b"1 answers in" in rest
    assert "## Πότε έγινε;" in file.read_text("utf-8")


def test_a_chat_with_the_promoted_run_takes_a_newer_one_before_the_next_question(
    trained: Desk, tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "desk", trained.model)
    shutil.copytree(trained.folder, desk.folder)
    runs = desk.archive / "runs"
    for name in ("live-0001", "live-0002"):
        shutil.copytree(runs / "default", runs / name)
    config = runs / "live-0002" / "adapter_config.json"
    found = orjson.loads(config.read_bytes())
    found["lora_parameters"]["scale"] = 0.0  # the base, to the bit
    config.write_bytes(orjson.dumps(found))
    versions.point_to(desk.archive, "live-0001")
    question = read_split(desk.dataset, "train")[0].question
    models = open_chat_models(
        desk.model, runs / "live-0001", newest=partial(versions.promoted, desk.archive)
    )

    def said() -> str:
        turns = chat_messages(question)
        return "".join(models.stream(turns, 24, ReplyUsage(), tuned=True))

    before = said()
    versions.point_to(desk.archive, "live-0002")
    base = "".join(models.stream(chat_messages(question), 24, ReplyUsage(), tuned=False))
    assert before != base
    assert said() == base
    (runs / "live-0001" / "adapters.safetensors").write_bytes(b"cut short")
    versions.point_to(desk.archive, "live-0001")
    assert said() == base
    models.close()
