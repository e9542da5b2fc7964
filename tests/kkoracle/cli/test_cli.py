"""The front door: light, teaching, and never a traceback for what a person may get wrong."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from exchange import machine
from exchange.inference.models import CONTEXT_NAMES
from exchange.project import Project
from exchange.queue import redis_client
from exchange.queue.redis_process import find_binary
from exchange.store.tasks import LANGUAGE_KEY
from kkoracle.cli.setup_checks import EXTRAS
from tests.conftest import (
    ROOT,
    cli_environment,
    end_bound,
    fill_spool,
    run_cli,
    run_python,
    start_bound,
    write_project,
)
from tests.servers import free_port

Maker = Callable[..., Project]
HELP_TIMES = 2.75  # of the peer below, which takes .15 to .18 s where half a second was the bound
COMMANDS = [
    "init",
    "doctor",
    "config",
    "status",
    "crawl",
    "work",
    "dataset",
    "train",
    "compare",
    "dashboard",
    "demo",
    "archive",
]


def one_line(said: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """It failed with this code, in one line that holds these words."""
    assert said.returncode == code, said.stderr + said.stdout
    lines = [line for line in said.stderr.splitlines() if line.startswith("kkoracle:")]
    assert len(lines) == 1, said.stderr
    assert all(word in lines[0] for word in words), lines[0]
    assert "Traceback" not in said.stderr


def cpu_of_help(module: str, folder: Path) -> float:
    """Seconds of CPU of a module's `--help`, with the bytecode kept as it is for a person."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = run_python("-m", module, "--help", cwd=folder, PYTHONDONTWRITEBYTECODE="")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert said.returncode == 0, said.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_lists_every_command_and_is_as_light_as_its_peer(tmp_path: Path) -> None:
    """The peer is Typer's own command, which draws its help with the same parts."""
    said = run_cli("--help", cwd=tmp_path).stdout
    assert all(name in said for name in COMMANDS)
    ours, theirs = zip(
        *((cpu_of_help("kkoracle", tmp_path), cpu_of_help("typer", tmp_path)) for _ in range(4)),
        strict=True,
    )
    assert min(ours) < HELP_TIMES * min(theirs)  # the first of each writes bytecode


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys; import kkoracle.cli.app; "
        "print([m for m in ('mlx', 'redis', 'rq', 'aiohttp', 'trafilatura', 'lxml', 'transformers',"
        " 'flask', 'numpy') if m in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        env=cli_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [[name] for name in COMMANDS] + [["dataset", "build"]])
def test_every_command_explains_itself(tmp_path: Path, command: list[str]) -> None:
    said = run_cli(*command, "--help", cwd=tmp_path)
    assert said.returncode == 0 and len(said.stdout) > 200


@pytest.mark.parametrize(
    ("config", "arguments", "words"),
    [
        ("[crawl]\ndelya = 2\n", ["crawl", "demo"], ["delya", "delay", "[crawl]"]),
        ("[crawll]\n", ["status"], ["crawll", "crawl"]),
        ("archve = 'x'\n", ["status"], ["archve", "archive"]),
        ("archive = '../x'\n", ["status"], ["archive name"]),
        ("[work]\nprompt = 'el/none'\n", ["work"], ["el/none", "el/chunk"]),
        ("[redis]\nmaxmemory_mb = 'big'\n", ["status", "demo"], ["redis.maxmemory_mb"]),
        ("nonsense", ["config"], ["not valid TOML"]),
        ("", ["status", "--wrong"], ["--wrong"]),
        ("", ["crawl", "demo"], ["contact"]),
        ("", ["status"], ["which archive"]),
    ],
)
def test_bad_usage_and_config_are_one_line_and_exit_2(
    tmp_path: Path, config: str, arguments: list[str], words: list[str]
) -> None:
    (tmp_path / "kkoracle.toml").write_text(config, "utf-8")
    one_line(run_cli(*arguments, cwd=tmp_path), 2, *words)


def test_a_config_file_that_is_not_there_is_told_with_what_to_run(tmp_path: Path) -> None:
    one_line(run_cli("--config", "none.toml", "config", cwd=tmp_path), 2, "kkoracle init")


def test_init_takes_the_profile_that_was_learned(tmp_path: Path) -> None:
    one_line(run_cli("init", "The.Paper.toml", cwd=tmp_path), 2, "archive learn")
    (tmp_path / "The.Paper.toml").write_text('nam = "Paper"\n', "utf-8")
    one_line(run_cli("init", "The.Paper.toml", cwd=tmp_path), 2, "did you mean 'name'")
    (tmp_path / "The.Paper.toml").write_text('name = "Paper"\n', "utf-8")
    assert run_cli("init", "The.Paper.toml", cwd=tmp_path).returncode == 0
    text = (tmp_path / "kkoracle.toml").read_text("utf-8")
    assert 'archive = "the-paper"' in text and '\nprofile = "The.Paper.toml"' in text


def test_init_refuses_a_name_that_nobody_knows_with_the_nearest(tmp_path: Path) -> None:
    nearest = run_cli("init", "rizospastsi", cwd=tmp_path)
    one_line(nearest, 2, "did you mean 'rizospastis'?", "archive learn", "--imported")
    for name in ("Ριζοσπάστης", "ριζοσπαστης", "Rizospastis"):  # as its readers call it
        one_line(run_cli("init", name, cwd=tmp_path), 2, "did you mean 'rizospastis'?")
    one_line(run_cli("init", "my-files", cwd=tmp_path), 2, "known are demo, generic, rizospastis")
    assert not (tmp_path / "kkoracle.toml").exists()
    said = run_cli("init", "my-files", "--imported", cwd=tmp_path)
    assert said.returncode == 0 and "next: `kkoracle import FOLDER`" in said.stdout
    assert "BAD" not in "".join(
        line for line in run_cli("doctor", cwd=tmp_path).stdout.splitlines() if "contact" in line
    )


def test_a_misspelt_variable_is_an_error_that_names_the_right_one(tmp_path: Path) -> None:
    for wrong, right in (
        ("KKORACLE_CRAWL_DELYA", "KKORACLE_CRAWL_DELAY?"),
        ("KKORACLE_CRWL_DELAY", "KKORACLE_CRAWL_DELAY?"),
        ("KKORACLE_ARCHIV", "KKORACLE_ARCHIVE?"),
        ("KKORACLE_WORKER_WIDTH", "KKORACLE_WORK_WIDTH?"),
        ("KKORACLE_SOMETHING", "`kkoracle config` shows all"),
    ):
        one_line(run_cli("archive", "list", cwd=tmp_path, **{wrong: "2"}), 2, wrong, right)
    assert run_cli("archive", "list", cwd=tmp_path, KKORACLE_CRAWL_DELAY="2").returncode == 0


@pytest.mark.parametrize("command", [["dashboard"], ["work"], ["work", "--pause"]])
def test_in_a_wrong_folder_nothing_is_made(tmp_path: Path, command: list[str]) -> None:
    one_line(run_cli(*command, cwd=tmp_path), 2, "kkoracle.toml", "kkoracle init")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", ["latin-1", "iso8859-7", "cp1252", "cp437"])
def test_what_a_terminals_encoding_lacks_is_replaced(tmp_path: Path, encoding: str) -> None:
    for command in (["archive", "list"], ["init", "--help"], ["doctor"]):
        said = subprocess.run(
            [sys.executable, "-m", "kkoracle", *command],
            env=cli_environment(PYTHONIOENCODING=encoding),
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert said.stdout.decode(encoding) and b"Traceback" not in said.stderr, said.stderr


def test_an_extra_is_named_by_the_command_that_installs_it_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {*extras["optional-dependencies"]} - {"all", "build", "dev"} == {*EXTRAS}
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    monkeypatch.setattr(machine, "_installed_from", lambda: "/my/clone of it")
    assert machine.install_command("pdf").endswith("pip install '/my/clone of it[pdf]'")
    (tmp_path / "uv-receipt.toml").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    asked = f"uv pip install --python {tmp_path} '/my/clone of it[pdf]'"
    assert machine.install_command("pdf") == asked


def test_doctor_has_a_line_for_profile_address_language_and_extras(tmp_path: Path) -> None:
    def lines(**settings: str) -> dict[str, tuple[str, str]]:
        found = run_cli("doctor", "--json", cwd=tmp_path, **settings)
        told = orjson.loads(found.stdout)["findings"]
        return {one["subject"]: (one["level"], one["text"]) for one in told}

    (tmp_path / "kkoracle.toml").write_text('archive = "rizospastis"\n', "utf-8")
    greek = lines()
    assert greek["profile"] == ("ok", "Ριζοσπάστης (rizospastis)")
    assert greek["address"][1].startswith("https://www.rizospastis.gr")
    assert greek["language"] == ("ok", "Greek (el)")
    assert greek["contact"][0] == "bad" and "dashboard" in greek["extras"][1]
    generic = lines(KKORACLE_CRAWL_PROFILE="generic")
    assert generic["address"][0] == "bad" and "base_url" in generic["address"][1]
    german = lines(
        KKORACLE_CRAWL_PROFILE="generic",
        KKORACLE_CRAWL_BASE_URL="https://blatt.example",
        KKORACLE_CRAWL_LANGUAGE="de",
    )
    assert german["address"][0] == "ok" and "speaks Greek and English" in german["language"][1]
    assert lines(KKORACLE_ARCHIVE="rizospastsi")["profile"][0] == "warn"


def test_init_writes_every_setting_once_and_the_result_is_valid(tmp_path: Path) -> None:
    said = run_cli("init", "demo", "--contact", "me@example.org", cwd=tmp_path)
    assert said.returncode == 0
    text = (tmp_path / "kkoracle.toml").read_text("utf-8")
    assert 'archive = "demo"' in text and 'contact = "me@example.org"' in text
    shown = run_cli("config", cwd=tmp_path)
    assert shown.returncode == 0 and "kkoracle.toml" in shown.stdout
    one_line(run_cli("init", cwd=tmp_path), 2, "exists already")
    # Every commented default is itself a valid setting.
    bare = "\n".join(
        line.removeprefix("# ") if " = " in line else line for line in text.splitlines()[3:]
    )
    (tmp_path / "kkoracle.toml").write_text(bare, "utf-8")
    checked = run_cli("config", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr


def test_config_shows_sources_and_hides_secrets(tmp_path: Path) -> None:
    (tmp_path / "kkoracle.toml").write_text("[crawl]\ndelay = 3\n", "utf-8")
    shown = run_cli(
        "config",
        cwd=tmp_path,
        KKORACLE_REDIS_URL="redis://:hush@example.org:6379/0",
        KKORACLE_WORK_API_KEY="hush",
    )
    assert shown.returncode == 0 and "hush" not in shown.stdout
    (delay,) = [line for line in shown.stdout.splitlines() if line.startswith("crawl.delay")]
    assert "3" in delay and "kkoracle.toml" in delay
    assert "KKORACLE_REDIS_URL" in shown.stdout


@contextmanager
def guarded_redis(folder: Path, password: str) -> Iterator[str]:
    """A Redis with a password, as compose runs one."""
    port = free_port()
    binary = find_binary()
    assert binary
    process = start_bound(
        *(binary, "--port", str(port), "--bind", "127.0.0.1", "--requirepass", password),
        *("--save", "", "--dir", str(folder)),
    )
    try:
        for _ in range(200):
            try:
                redis_client.check_redis(f"redis://:{password}@127.0.0.1:{port}/0")
                break
            except Exception:
                continue
        yield f"127.0.0.1:{port}"
    finally:
        end_bound(process)


def test_a_redis_that_asks_for_a_password_is_one_line_without_it(
    tmp_path: Path, make_project: Maker
) -> None:
    make_project("[crawl]\ncontact = 'a@b.gr'\n", archive="demo")
    with guarded_redis(tmp_path, "opensesame") as address:
        for command in (["work"], ["crawl"], ["dashboard", "--port", "0"]):
            for url in (f"redis://{address}/0", f"redis://:guess@{address}/0"):
                said = run_cli(*command, cwd=tmp_path, KKORACLE_REDIS_URL=url)
                one_line(said, 1, "password", "KKORACLE_REDIS_URL")
                assert "guess" not in said.stderr


def test_a_native_worker_uses_a_composed_redis_by_one_variable(
    tmp_path: Path, make_project: Maker
) -> None:
    project = make_project()
    fill_spool(project, 1).close()
    with guarded_redis(tmp_path, "opensesame") as address:
        url = f"redis://:opensesame@{address}/0"
        said = run_cli("work", "--burst", cwd=tmp_path, KKORACLE_REDIS_URL=url)
        assert said.returncode == 0, said.stderr
        assert not project.redis_dir.exists()
        assert "opensesame" not in said.stdout + said.stderr


def test_a_model_folder_without_a_tokenizer_is_one_line(tmp_path: Path, tiny_model: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("config.json", "model.safetensors"):
        os.link(tiny_model / name, broken / name)
    (tmp_path / "kkoracle.toml").touch()
    said = run_cli("work", "--model", str(broken), cwd=tmp_path)
    one_line(said, 1, "no tokenizer", str(broken))


@pytest.mark.parametrize("name", ["./nowhere", "no/such/model", "justaname"])
def test_a_model_that_is_not_there_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "kkoracle.toml").touch()
    one_line(run_cli("work", "--model", name, cwd=tmp_path), 1, name)


def test_an_unreachable_hub_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "kkoracle.toml").touch()
    said = run_cli("work", "--model", "some/model", cwd=tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    one_line(said, 1, "some/model", "network")


def test_an_unreachable_newspaper_is_one_line(tmp_path: Path, make_project: Maker) -> None:
    make_project(
        "[crawl]\ncontact = 'a@b.gr'\nbase_url = 'http://127.0.0.1:9'\nretry_s = 0.1\n",
        archive="demo",
    )
    said = run_cli("crawl", cwd=tmp_path)
    one_line(said, 1, "127.0.0.1:9")


def test_a_second_daemon_is_refused_with_the_firsts_number(
    tmp_path: Path, make_project: Maker
) -> None:
    from exchange.lock import FileLock

    project = make_project("[crawl]\ncontact = 'a@b.gr'\n", archive="demo")
    with FileLock(project.archive_dir() / "daemon.lock"):
        one_line(run_cli("crawl", cwd=tmp_path), 1, str(os.getpid()))


def test_status_counts_what_the_spool_holds(tmp_path: Path, make_project: Maker) -> None:
    project = make_project()
    one_line(run_cli("status", cwd=tmp_path), 1, "kkoracle crawl")
    fill_spool(project, 5).close()
    said = run_cli("status", "--json", cwd=tmp_path)
    found = orjson.loads(said.stdout)
    assert said.returncode == found["exit_code"] == 3  # work is left and no daemon runs
    assert found["counters"] == {"stories": 5, "chunks.live": 5, "tasks.new": 5}
    assert "5 stories, 5 chunks" in run_cli("status", cwd=tmp_path).stdout


def test_doctor_says_what_to_do_and_fails_when_something_is_missing(
    tmp_path: Path, make_project: Maker
) -> None:
    make_project("[crawl]\ncontact = 'a@b.gr'\n")
    good = run_cli("doctor", cwd=tmp_path)
    assert good.returncode == 0, good.stdout
    for subject in ("python", "redis", "mlx", "model", "memory", "disk", "sleep"):
        assert subject in good.stdout
    assert "does not answer a plain question" in good.stdout and "2,048 tokens" in good.stdout
    bad = run_cli("doctor", cwd=tmp_path, KKORACLE_REDIS_URL="redis://127.0.0.1:9/0")
    assert bad.returncode == 1 and "BAD" in bad.stdout and "Traceback" not in bad.stderr
    away = run_cli("doctor", cwd=tmp_path, KKORACLE_MODEL_NAME=str(tmp_path / "away"))
    assert away.returncode == 1 and "BAD  model" in away.stdout
    later = run_cli("doctor", cwd=tmp_path, KKORACLE_MODEL_NAME="maker/fetched-when-needed")
    assert later.returncode == 0 and "note model" in later.stdout


def test_doctor_lets_the_model_read_in_the_archives_language(
    tmp_path: Path, make_project: Maker
) -> None:
    spool = fill_spool(make_project("[crawl]\ncontact = 'a@b.gr'\n"), 1)
    with spool.transaction():
        spool.set_meta(LANGUAGE_KEY, "en")
    spool.close()
    said = run_cli("doctor", "--json", cwd=tmp_path)
    found = {one["subject"]: one["text"] for one in json.loads(said.stdout)["findings"]}
    assert "a text in 'en' surprises it" in found["speech"]


def test_doctor_hears_a_model_that_cannot_speak_or_does_not_say_how_much_it_reads(
    tmp_path: Path, tiny_model: Path
) -> None:
    for name, field in (("tokenizer_config", "chat_template"), ("config", CONTEXT_NAMES[0])):
        model = Path(shutil.copytree(tiny_model, tmp_path / name))
        told = json.loads((model / f"{name}.json").read_text("utf-8"))
        del told[field]
        (model / f"{name}.json").write_text(json.dumps(told), "utf-8")
        write_project(tmp_path, model, "[crawl]\ncontact = 'a@b.gr'\n")
        said = run_cli("doctor", "--json", cwd=tmp_path)
        found = {one["subject"]: one for one in json.loads(said.stdout)["findings"]}
        if field == "chat_template":
            assert said.returncode == 1 and "no chat template" in found["speech"]["text"]
        else:
            assert found["context"]["level"] == "warn" and field in found["context"]["text"]
            assert "a text in 'el'" in found["speech"]["text"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    said = run_cli("demo", "--dir", "file", cwd=tmp_path)
    one_line(said, 1, "file")
