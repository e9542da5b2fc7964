"""The first and the second Ctrl-C, sent to real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from exchange import signals

IMPORTED = "import time:"


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_signal_while_a_command_is_loaded_is_one_line(tmp_path: Path, number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "kkoracle", "status"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if line.split("|")[-1].strip() == "kkoracle.cli":
                break
        assert process.stderr.readline().startswith(IMPORTED)  # of what the command imports
        process.send_signal(number)
        rest = [line for line in process.stderr if IMPORTED not in line]
    assert process.returncode == 3
    assert rest == [f"kkoracle: {signals.STOPPED_LINE}\n"]


def test_the_first_is_remembered_and_the_second_interrupts() -> None:
    told: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with signals.stop_on_signal(lambda: told.append("first")) as stopped:
        assert not stopped()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped() and told == ["first"]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert told == ["first"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_under_asyncio_the_loop_is_told() -> None:
    async def run() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        with signals.stop_on_signal_in_loop(first.set, second.set):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.wait_for(first.wait(), 10)
            assert not second.is_set()
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(second.wait(), 10)

    asyncio.run(run())


def test_another_thread_leaves_signals_alone() -> None:
    stopped: list[bool] = []

    def run() -> None:
        with signals.stop_on_signal() as stop:
            stopped.append(stop())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert stopped == [False]


def test_a_second_signal_that_must_not_wait_ends_the_process_with_code_3(tmp_path: Path) -> None:
    script = (
        "import os, signal; from exchange import signals\n"
        "with signals.before_exit_now(lambda: print('let go', flush=True)):\n"
        "    with signals.stop_on_signal(on_second=signals.exit_now):\n"
        "        os.kill(os.getpid(), signal.SIGINT); print('going on', flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGINT); print('never')"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (3, "going on\nlet go\n")
    assert run.stderr == f"kkoracle: {signals.STOPPED_LINE}\n"


def test_a_signal_inside_what_python_makes_of_a_string_ends_with_code_3_too() -> None:
    """Python notes such an interrupt as one that nobody dealt with, and would end by SIGINT."""
    script = (
        "import os, signal; from exchange import signals\n"
        "signals.raise_interrupts()\n"
        "try: exec('import os, signal; os.kill(os.getpid(), signal.SIGINT)')\n"
        "except KeyboardInterrupt: signals.end_process(3)"
    )
    run = subprocess.run([sys.executable, "-c", script], check=False)
    assert run.returncode == 3


def test_a_thread_that_is_still_letting_go_of_a_model_does_not_abort_the_process() -> None:
    """MLX frees what a thread compiled after `join` returned; six tries met it 99 times of 100."""
    script = (
        "import sys, threading, time, mlx.core as mx; from exchange import signals\n"
        "class Late:\n"
        "    def __del__(self, sleep=time.sleep): sleep(0.05)\n"  # the thread's turn, too late
        "late = Late()\n"
        "compiled = mx.compile(lambda x: mx.exp(x) * 2)\n"
        "def run():\n"
        "    with mx.stream(mx.new_stream(mx.cpu)): mx.eval(compiled(mx.ones((4, 4))))\n"
        "sys.setswitchinterval(60)\n"
        "thread = threading.Thread(target=run); thread.start(); thread.join()\n"
        "signals.end_process(0)"
    )
    for _ in range(6):
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(("fault", "code", "said"), [("", 0, ""), ("1 / 0", 1, "Traceback")])
def test_a_command_ends_without_taking_the_interpreter_down(
    fault: str, code: int, said: str
) -> None:
    script = (
        "import os, sys; from kkoracle.cli import app, main\n"
        "class Late:\n"
        "    def __del__(self, write=os.write): write(1, b'taken down\\n')\n"
        "sys.late = Late()\n"  # its own module is the last to be taken down
        "sys.argv[1:] = ['--version']\n"
        f"if '{fault}': app._run = lambda entry: {fault or None}\n"
        "main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == code and "taken down" not in run.stdout, run.stdout
    assert run.stderr.startswith(said) and bool(run.stderr) == bool(said)


def test_what_was_to_be_read_and_found_no_room_is_no_success(tmp_path: Path) -> None:
    script = (
        "import resource; from exchange import signals\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))\n"
        "print('kept until the end'); signals.end_process(0)"
    )
    with (tmp_path / "out").open("w") as small:
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONUNBUFFERED": ""},  # where it is kept until the end
            stdout=small,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (run.returncode, run.stderr) == (1, b"")


def test_a_child_in_its_own_session_is_told_once(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, threading; from exchange import signals\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal, time\\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\\n"
        "try: input(); print(1, flush=True); time.sleep(60)\\n"
        "except KeyboardInterrupt: print(2, flush=True)'],"
        " start_new_session=True, stdin=subprocess.PIPE, text=True)\n"
        "begin = lambda: print(file=child.stdin, flush=True)\n"  # once the child is waited for
        "threading.Timer(0.5, begin).start()\n"
        "try: signals.wait_for_child(child)\n"
        "except KeyboardInterrupt: print(child.returncode)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "2\n0\n"


def test_waiting_ends_at_the_first_signal() -> None:
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    signals.wait_for_signal()
    with signals.until_interrupted():
        raise KeyboardInterrupt
