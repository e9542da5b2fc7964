"""Small models of other families, with random weights, for loading, tuning and fusing."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

THINKS = (
    "{% for m in messages %}{{ '[INST]' + m['content'] + '[/INST]' if m['role'] == 'user' else "
    "'<think>\n\n</think>\n\n' + m['content'] + eos_token if m['role'] == 'assistant' else "
    "m['content'] }}{% endfor %}{% if add_generation_prompt and enable_thinking is defined and "
    "not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
)
_COMMON = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rms_norm_eps": 1e-5,
}
# As transformers 5 writes it: mlx-lm's Llama reads `rope_theta` alone, Gemma 3 by sort of layer.
_ROPE = {"rope_theta": 5000.0, "rope_type": "default"}
TWINS: dict[str, dict[str, Any]] = {
    "llama": {**_COMMON, "max_position_embeddings": 512, "rope_parameters": _ROPE},
    "qwen3": {
        **_COMMON,
        "max_position_embeddings": 512,
        "rope_parameters": _ROPE,
        "tie_word_embeddings": True,
    },
    "mistral3": {
        "text_config": {
            **_COMMON,
            "model_type": "mistral",
            "max_position_embeddings": 512,
            "rope_parameters": _ROPE,
            "tie_word_embeddings": True,
        }
    },
    "gemma3": {
        "text_config": {
            **_COMMON,
            "model_type": "gemma3_text",
            "query_pre_attn_scalar": 8,
            "sliding_window": 64,
            "sliding_window_pattern": 2,
            "max_position_embeddings": 512,
            "rope_parameters": {
                "full_attention": {"rope_theta": 5000.0, "rope_type": "default"},
                "sliding_attention": {"rope_theta": 2000.0, "rope_type": "default"},
            },
        }
    },
}
ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "mistral3": "Mistral3ForConditionalGeneration",
    "gemma3": "Gemma3ForConditionalGeneration",
}


def make_twin(kind: str, tiny_model: Path, folder: Path, **more: Any) -> Path:
    """A folder of a family, with the tiny model's tokenizer.

    Args:
        more: fields of the config's language part, instead of those here; None takes one away.
    """
    from importlib import import_module

    from exchange.inference import runtime

    mx = runtime.require_mlx()
    from mlx.utils import tree_flatten

    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, folder)
    vocab = json.loads((tiny_model / "config.json").read_text("utf-8"))["vocab_size"]
    marks = {"bos_token_id": 1, "eos_token_id": 2, "vocab_size": vocab}
    config = {"model_type": kind, "architectures": [ARCHITECTURES[kind]], **marks}
    config |= deepcopy(TWINS[kind])
    part = config.get("text_config", config)
    part |= {"vocab_size": vocab, "torch_dtype": "float32", **more}
    if kind == "qwen3":
        settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
        settings["chat_template"] = THINKS
        (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    kept = {name: value for name, value in part.items() if value is not None}
    if "text_config" in config:
        config["text_config"] = kept
    else:
        config = kept
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    family = import_module(f"mlx_lm.models.{kind}")
    mx.random.seed(5)
    # The loader's own default for what it does not find: weights do not depend on it.
    known = json.loads(json.dumps(config))
    known.get("text_config", known).setdefault("rope_theta", 10000.0)
    model = family.Model(family.ModelArgs.from_dict(known))
    weights = dict(tree_flatten(model.parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "pt"})
    return folder
