"""The list, the last line, and one small bench run as a person runs it."""

from __future__ import annotations

import tomllib

import orjson
import pytest

from bench import registry
from bench.__main__ import main
from tests.conftest import ROOT, run_python


def test_alone_it_lists_every_bench_with_what_it_measures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    for name in registry.NAMES:
        assert f"{name} " in said and registry.summary(registry.load(name)) in said


@pytest.mark.parametrize("words", [[], *([name] for name in registry.NAMES)], ids=str)
def test_help_is_printed_whatever_signs_a_docstring_holds(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0 and "usage: python -m bench" in capsys.readouterr().out


def test_every_bench_is_a_module_with_a_docstring_a_seed_and_figures() -> None:
    for name in registry.NAMES:
        bench = registry.load(name)
        assert bench.__doc__ and isinstance(bench.SEED, int) and callable(bench.run)
        assert bench.NOT_FOR_JUDGING and all(isinstance(one, str) for one in bench.NOT_FOR_JUDGING)


def test_a_quick_run_says_which_figures_are_not_for_judging(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["eta", "--quick", "--runs", "1"]) == 0
    *text, line = capsys.readouterr().out.splitlines()
    found = orjson.loads(line)
    assert "in_range" in found["not_for_judging"] and set(found["not_for_judging"]) <= set(found)
    assert "seed" not in found["not_for_judging"]
    assert any("--quick" in line and ", ".join(found["not_for_judging"]) in line for line in text)


def test_a_full_run_calls_all_its_figures_fit_for_judging(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["eta", "--runs", "1", "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["not_for_judging"] == []


def test_listing_loads_no_model_library() -> None:
    code = (
        "import sys; from bench.__main__ import main; main([]);"
        "sys.exit(bool({'mlx', 'mlx.core', 'torch', 'transformers'} & set(sys.modules)))"
    )
    assert run_python("-c", code).returncode == 0


def test_the_benches_are_not_installed() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]
    assert "bench" not in built["build"]["targets"]["wheel"]["packages"]


def test_a_quick_run_prints_one_json_object() -> None:
    asked = ("generate", "--quick", "--json", "--chunks", "2", "--hidden", "64")
    said = run_python("-m", "bench", *asked)
    assert said.returncode == 0, said.stderr
    (line,) = said.stdout.splitlines()
    found = orjson.loads(line)
    assert found["bench"] == "generate" and found["quick"] is True and found["chunks"] == 2
    assert len(found["load"]) == 3 and found["seed"] == 7
    assert found["identical_outputs"] == 1.0  # greedy and float32: batching changes no word
    assert found["identical_to_bare"] == 1.0
    assert "speedup_vs_loop" in found["not_for_judging"]
    assert found["speedup_vs_loop"] > 0 and found["of_bare_engine"] > 0
    assert 350 <= found["tokens_in"][0] <= found["tokens_in"][1] <= 450
    assert 60 <= found["tokens_out"][0] <= found["tokens_out"][1] <= 260
    assert found["tokens_shared"] <= 130
