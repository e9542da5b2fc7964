"""A model as its makers publish it: BOS, end marks, 4 bit, and what is refused."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import UserError
from exchange.inference import chat_template, models, runtime
from exchange.inference.batch_width import footprint
from exchange.inference.mlx.engine import MlxEngine
from tests.twins import TWINS, make_twin

ASKED = [{"role": "user", "content": "Πότε άνοιξε η γέφυρα;"}]
# The shape of Meltemi's own: turns between marks, an end mark after each, and no BOS.
NO_BOS = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] "
    "+ eos_token + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)
REFUSES_SYSTEM = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}"
    "{{ '[INST]' + message['content'] + '[/INST]' }}{% endfor %}"
)
SECOND_END = 5  # of the tiny tokenizer's special tokens; a model may end with any of several


@pytest.fixture(scope="module")
def published(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in Meltemi's layout: bfloat16 in two parts, its own output layer, several ends."""
    folder = copy(tiny_model, tmp_path_factory.mktemp("hub") / "published")
    change(folder / "config.json", tie_word_embeddings=False, torch_dtype="bfloat16")
    change(folder / "tokenizer_config.json", chat_template=NO_BOS)
    (folder / "generation_config.json").write_text(
        json.dumps({"bos_token_id": 1, "eos_token_id": [2, SECOND_END]})
    )
    mx = runtime.require_mlx()
    weights = {
        name: value.astype(mx.bfloat16)
        for name, value in mx.load(str(folder / "model.safetensors")).items()
    }
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"][::-1]
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        mx.save_safetensors(
            str(folder / f"model-0000{number}-of-00002.safetensors"),
            {name: weights[name] for name in part},
            {"format": "pt"},
        )
    return folder


@pytest.fixture(scope="module")
def quantised(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its copy in 4 bit, made the way a Hub model is."""
    kept = tmp_path_factory.mktemp("models") / "published-4bit"
    models.convert(str(published), kept, 4)
    return kept


def copy(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")


def tokens(folder: Path) -> tuple[list[int], Any]:
    tokenizer = runtime.load(folder)[1]
    return chat_template.apply(tokenizer, ASKED), tokenizer


def test_bos_stands_first_and_once_whether_the_template_writes_it_or_not(
    tiny_model: Path, published: Path, quantised: Path
) -> None:
    for folder in (tiny_model, published, quantised):
        found, tokenizer = tokens(folder)
        assert found[0] == tokenizer.bos_token_id and found.count(found[0]) == 1
        assert chat_template.ensure_bos(tokenizer) is False, "once is enough"


def test_a_saved_copy_keeps_bos(published: Path, tmp_path: Path) -> None:
    found, tokenizer = tokens(published)
    tokenizer.save_pretrained(str(tmp_path))
    from transformers import AutoTokenizer

    saved = AutoTokenizer.from_pretrained(str(tmp_path))
    again = saved.apply_chat_template(ASKED, add_generation_prompt=True, return_dict=False)
    assert list(again) == found


def test_a_tokenizer_that_wants_no_bos_gets_none(tiny_model: Path, tmp_path: Path) -> None:
    folder = copy(tiny_model, tmp_path / "model")
    change(folder / "tokenizer_config.json", chat_template=NO_BOS)
    change(folder / "tokenizer.json", post_processor=None)
    found, tokenizer = tokens(folder)
    assert tokenizer.bos_token_id not in found


def test_all_end_marks_of_the_generation_config_end_an_answer(
    published: Path, quantised: Path
) -> None:
    for folder in (published, quantised):
        assert tokens(folder)[1].eos_token_ids == {2, SECOND_END}


def test_a_model_in_4_bit_loads_and_generates(published: Path, quantised: Path) -> None:
    assert footprint(quantised, float32=False).weights < (
        footprint(published, float32=False).weights / 2
    )
    engine = MlxEngine(quantised, name="published", width=2)
    assert engine.describe().quantisation == "4bit"
    engine.share_prefix(ASKED, [{"role": "user", "content": "Πότε έκλεισε;"}])
    tickets = {engine.submit(ASKED, 12, 0) for _ in range(3)}
    texts = set()
    while tickets:
        for finished in engine.step():
            tickets.remove(finished.ticket)
            texts.add(finished.text)
            assert finished.tokens_out == 12 or finished.finish_reason == "stop"
    assert len(texts) == 1


def test_a_conversion_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text('{"model_type": "nobody-knows"}')
    with pytest.raises(UserError, match="could not be fetched") as caught:
        models.convert(str(tmp_path / "broken"), tmp_path / "kept", 4)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def test_a_template_that_refuses_a_system_message_is_one_line(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = copy(tiny_model, tmp_path / "model")
    change(folder / "tokenizer_config.json", chat_template=REFUSES_SYSTEM)
    engine = MlxEngine(folder, name="m", width=1)
    engine.submit(ASKED, 4, 0)
    with pytest.raises(UserError, match=r"\[persona\] system"):
        engine.submit([{"role": "system", "content": "x"}, *ASKED], 4, 0)


def test_a_base_model_without_a_template_is_one_line(tiny_model: Path, tmp_path: Path) -> None:
    folder = copy(tiny_model, tmp_path / "model")
    change(folder / "tokenizer_config.json", chat_template=None)
    with pytest.raises(UserError, match="no chat template"):
        MlxEngine(folder, name="m", width=1).submit(ASKED, 4, 0)


def test_the_wired_limit_has_no_way_left_to_be_set() -> None:
    """mlx-lm's own function would be called by name from two modules: the names must be these."""
    runtime.require_mlx()
    theirs = importlib.import_module("mlx_lm.utils").maybe_set_recommended_wired_limit
    for name in ("mlx_lm.generate", "mlx_lm.tuner.trainer"):
        ours = importlib.import_module(name).maybe_set_recommended_wired_limit
        assert ours is not theirs and ours() is None


@pytest.mark.parametrize("kind", TWINS)
def test_positions_are_read_as_the_config_says_wherever_it_says_it(
    kind: str, tiny_model: Path, tmp_path: Path
) -> None:
    mx = runtime.require_mlx()
    new = make_twin(kind, tiny_model, tmp_path / "new")
    places = {"rope_local_base_freq": 2000.0} if kind == "gemma3" else {}
    old = make_twin(
        kind, tiny_model, tmp_path / "old", rope_parameters=None, rope_theta=5000.0, **places
    )
    other = make_twin(kind, tiny_model, tmp_path / "other", rope_parameters=None, rope_theta=77.0)
    said = []
    for folder in (new, old, other):
        model, _ = runtime.load(folder)
        assert runtime.context_length(model) == 512
        said.append(model(mx.arange(3, 40)[None]))
    assert mx.array_equal(said[0], said[1])
    assert not mx.allclose(said[0], said[2]), "it would be seen"
    assert models.context_length(models.read_config(new)) == 512


def test_positions_that_a_loader_would_still_read_otherwise_are_refused(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlx_lm.models import llama

    folder = make_twin("llama", tiny_model, tmp_path / "model")
    loads = llama.ModelArgs.from_dict
    monkeypatch.setattr(
        llama.ModelArgs, "from_dict", lambda told: loads({**told, "rope_theta": 10000.0})
    )
    with pytest.raises(UserError, match="rope_theta 5000 and mlx-lm takes 10000"):
        runtime.load(folder)


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}, {"rope_theta": 5e5}),
        ({"rope_theta": 1e4, "rope_parameters": {"rope_theta": 5e5}}, {}),
        (
            {"rope_parameters": {"rope_theta": 5e5, "rope_type": "llama3", "factor": 8.0}},
            {
                "rope_theta": 5e5,
                "rope_scaling": {"rope_theta": 5e5, "rope_type": "llama3", "factor": 8.0},
            },
        ),
        (
            {"text_config": {"a": 1, "rope_parameters": {"rope_theta": 3.0}}},
            {"text_config": {"a": 1, "rope_parameters": {"rope_theta": 3.0}, "rope_theta": 3.0}},
        ),
        ({"rope_theta": 1e4}, {}),
    ],
)
def test_older_names_stand_beside_what_a_config_says(
    config: dict[str, Any], found: dict[str, Any]
) -> None:
    assert models.older_names(config) == found


@pytest.mark.parametrize("kind", TWINS)
def test_the_head_is_found_in_a_model_within_a_model(
    kind: str, tiny_model: Path, tmp_path: Path
) -> None:
    from exchange.inference.mlx.scoring import split_head

    model, _ = runtime.load(make_twin(kind, tiny_model, tmp_path / kind))
    assert split_head(model) is not None


def test_a_tokenizer_alone_knows_all_end_marks_too(published: Path) -> None:
    assert runtime.tokenizer(published).eos_token_ids == {2, SECOND_END}
