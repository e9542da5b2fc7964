"""A model folder of the newspaper model's architecture, small enough for tests and benches.

The tokenizer is really trained on the given texts, the weights are random: it has learned
nothing. `python -m tools.tiny_model FOLDER --hidden 64` writes one by hand. No array of MLX is
evaluated here, so a process that makes a tiny model may still fork.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

UNK, BOS, EOS, PAD = "<unk>", "<s>", "</s>", "<pad>"
INST, END_INST = "[INST]", "[/INST]"
SPECIALS = [UNK, BOS, EOS, PAD, INST, END_INST]  # ids 0 to 5: readers expect bos 1 and eos 2
BYTES = [f"<0x{value:02X}>" for value in range(256)]
SMALLEST_VOCAB = len(SPECIALS) + len(BYTES) + 32  # bytes alone could spell anything, but slowly
CONTEXT = 2048  # tokens

# A system message goes in front of the first question, as Mistral's models expect it. No blanks
# around the tags: the tokenizer itself puts one before every piece of text.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system = messages[0]['content'] + '\\n\\n' %}{% set turns = messages[1:] %}"
    "{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}"
    "{% if message['role'] == 'user' %}"
    "{{ '[INST]' + (system if loop.first else '') + message['content'] + '[/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('only system, user and assistant can speak') }}{% endif %}"
    "{% endfor %}"
)

SAMPLE = (
    "Η εφημερίδα δημοσίευσε χθες το ρεπορτάζ για τη συνέλευση των εργαζομένων στο λιμάνι.",
    "Στις 12 Μάη 1998 έγινε στην πλατεία η μεγάλη συγκέντρωση του συλλόγου γυναικών.",
    "Ο δήμαρχος ανακοίνωσε ότι το σχολείο θα ανοίξει ξανά τον Σεπτέμβρη, είπε ο πρόεδρος.",
    "Ερώτηση: Πότε έγινε η απεργία; Απάντηση: Η απεργία έγινε τον Φλεβάρη του 2001.",
)


def make_tiny_model(
    folder: Path,
    texts: Sequence[str],
    *,
    vocab: int = 512,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    seed: int = 0,
) -> Path:
    """Write config, weights and tokenizer in Hugging Face layout; the same input, the same bytes.

    About 0.2M parameters by default; vocab 8192, hidden 512, layers 6, heads 8 give about 20M.
    The vocabulary may come out smaller than `vocab` when the texts hold too few words.

    Returns:
        The folder, readable by `mlx_lm.load` and by transformers.

    Raises:
        ValueError: sizes that do not fit each other.
    """
    if hidden % heads or heads % kv_heads or (hidden // heads) % 2:
        raise ValueError("heads must divide hidden into even parts, and kv_heads must divide heads")
    if vocab < SMALLEST_VOCAB:
        raise ValueError(f"vocab must be at least {SMALLEST_VOCAB}")
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(texts, vocab)
    write_tokenizer(folder, tokenizer)
    config = model_config(tokenizer.get_vocab_size(), hidden, layers, heads, kv_heads)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")

    from safetensors.numpy import save_file

    save_file(dict(_weights(config, seed)), folder / "model.safetensors", {"format": "pt"})
    return folder


def model_config(vocab: int, hidden: int, layers: int, heads: int, kv_heads: int) -> dict[str, Any]:
    """The config of a Mistral without sliding window, input and output embeddings shared."""
    return {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "vocab_size": vocab,
        "hidden_size": hidden,
        "intermediate_size": math.ceil(hidden * 8 / 3 / 32) * 32,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": hidden // heads,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "bos_token_id": SPECIALS.index(BOS),
        "eos_token_id": SPECIALS.index(EOS),
        "pad_token_id": SPECIALS.index(PAD),
        "torch_dtype": "float32",
    }


def train_tokenizer(texts: Sequence[str], vocab: int) -> Tokenizer:
    """A BPE with byte fallback, trained on the texts: words, digits and punctuation apart."""
    from tokenizers import (
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    tokenizer = Tokenizer(models.BPE(unk_token=UNK, byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("▁", "merged_with_next"),
            pre_tokenizers.Split(Regex(r"[^\w▁]|[0-9]"), "isolated"),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=SPECIALS + BYTES,
        limit_alphabet=max(16, vocab - len(SPECIALS) - len(BYTES) - 16),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sorted(texts), trainer)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, SPECIALS.index(BOS))]
    )
    # The byte tokens had to be specials to get their ids; left there, a text that spells "<0x0A>"
    # would be read as a newline, and decoding would drop them.
    raw = json.loads(tokenizer.to_str())
    raw["added_tokens"] = [t for t in raw["added_tokens"] if t["content"] in SPECIALS]
    return Tokenizer.from_str(json.dumps(raw))


def write_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """`tokenizer.json`, and the settings that transformers reads beside it."""
    (folder / "tokenizer.json").write_text(
        json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False), "utf-8"
    )
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "unk_token": UNK,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONTEXT,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(
        json.dumps(settings, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )


def _weights(config: dict[str, Any], seed: int) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Names and values as transformers has them; variance 1/fan-in keeps activations steady."""
    import numpy as np

    rng = np.random.default_rng(seed)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    kv = config["num_key_value_heads"] * config["head_dim"]

    def matrix(rows: int, columns: int) -> np.ndarray[Any, Any]:
        return rng.standard_normal((rows, columns), np.float32) / np.float32(math.sqrt(columns))

    yield "model.embed_tokens.weight", matrix(config["vocab_size"], hidden)
    for index in range(config["num_hidden_layers"]):
        at = f"model.layers.{index}."
        for name, rows, columns in (
            ("self_attn.q_proj", hidden, hidden),
            ("self_attn.k_proj", kv, hidden),
            ("self_attn.v_proj", kv, hidden),
            ("self_attn.o_proj", hidden, hidden),
            ("mlp.gate_proj", inner, hidden),
            ("mlp.up_proj", inner, hidden),
            ("mlp.down_proj", hidden, inner),
        ):
            yield f"{at}{name}.weight", matrix(rows, columns)
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"{at}{name}.weight", np.ones(hidden, np.float32)
    yield "model.norm.weight", np.ones(hidden, np.float32)


def main() -> None:
    """Write a tiny model from the command line."""
    parser = argparse.ArgumentParser(description=make_tiny_model.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=Path, help="a UTF-8 text file to train the tokenizer on")
    for name, default in (
        ("vocab", 512),
        ("hidden", 64),
        ("layers", 2),
        ("heads", 4),
        ("kv-heads", 2),
        ("seed", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = vars(parser.parse_args())
    source: Path | None = given.pop("texts")
    texts = source.read_text("utf-8").splitlines() if source else list(SAMPLE)
    folder = make_tiny_model(given.pop("folder"), texts, **given)
    sys.stdout.write(f"{folder}\n")


if __name__ == "__main__":
    main()
