"""The model that each scorer starts from: nothing learned, a token a word, no conversation.

A GPT-2 of two layers. Its first layer begins by looking for the same word: keys start as queries,
as mimetic initialisation does it (Trockman and Kolter 2023, arXiv 2305.09828); its last layer
begins by looking everywhere alike. From plain random numbers the same model finds out that words
are to be compared too, but takes many times the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.tiny_model import BOS, EOS, SPECIALS, UNK, write_tokenizer

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

    Array = np.ndarray[Any, Any]

HIDDEN, LAYERS, HEADS, POSITIONS = 64, 2, 2, 128
PLACE = 0.3  # length of a place's vector; a word's is 1
SHARP, EVEN = 0.7, 0.2  # of the queries of the first layer, and of the others
SEEN, THOUGHT = 2.0, 0.3  # of what attention and the layers between it add


def make(folder: Path, texts: Iterable[str], seed: int) -> Path:
    """A model folder whose tokenizer knows the words of the texts, white space between them."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    tokenizer = _by_word(sorted({word for text in texts for word in text.split()}))
    write_tokenizer(folder, tokenizer)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text("utf-8"))
    del settings["chat_template"]
    path.write_text(json.dumps(settings), "utf-8")
    words = tokenizer.get_vocab_size()
    config = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": words,
        "n_embd": HIDDEN,
        "n_layer": LAYERS,
        "n_head": HEADS,
        "n_positions": POSITIONS,
        "n_ctx": POSITIONS,
        "layer_norm_epsilon": 1e-5,
        "torch_dtype": "float32",
        "bos_token_id": SPECIALS.index(BOS),
        "eos_token_id": SPECIALS.index(EOS),
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    save_file(dict(_weights(words, seed)), folder / "model.safetensors", {"format": "pt"})
    return folder


def _by_word(words: list[str]) -> Tokenizer:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    known = {word: number for number, word in enumerate([*SPECIALS, *words])}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, SPECIALS.index(BOS))]
    )
    return tokenizer


def _weights(words: int, seed: int) -> Iterator[tuple[str, Array]]:
    """Names and shapes as transformers has them: matrices stand input first."""
    import numpy as np

    rng = np.random.default_rng(seed)
    f32 = np.float32

    def matrix(rows: int, columns: int, scale: float = 1.0) -> Array:
        return (rng.standard_normal((rows, columns)) * scale / np.sqrt(rows)).astype(f32)

    yield "wte.weight", matrix(HIDDEN, words).T.copy()
    yield "wpe.weight", matrix(HIDDEN, POSITIONS, PLACE).T.copy()
    for number in range(LAYERS):
        at = f"h.{number}."
        keys = matrix(HIDDEN, HIDDEN)
        queries = keys * f32(SHARP) if number == 0 else matrix(HIDDEN, HIDDEN, EVEN)
        together = np.concatenate([queries, keys, matrix(HIDDEN, HIDDEN)], axis=1)
        yield f"{at}attn.c_attn.weight", together
        yield f"{at}attn.c_attn.bias", np.zeros(3 * HIDDEN, f32)
        yield f"{at}attn.c_proj.weight", matrix(HIDDEN, HIDDEN, SEEN)
        yield f"{at}attn.c_proj.bias", np.zeros(HIDDEN, f32)
        yield f"{at}mlp.c_fc.weight", matrix(HIDDEN, 4 * HIDDEN)
        yield f"{at}mlp.c_fc.bias", np.zeros(4 * HIDDEN, f32)
        yield f"{at}mlp.c_proj.weight", matrix(4 * HIDDEN, HIDDEN, THOUGHT)
        yield f"{at}mlp.c_proj.bias", np.zeros(HIDDEN, f32)
        for norm in ("ln_1", "ln_2"):
            yield f"{at}{norm}.weight", np.ones(HIDDEN, f32)
            yield f"{at}{norm}.bias", np.zeros(HIDDEN, f32)
    yield "ln_f.weight", np.ones(HIDDEN, f32)
    yield "ln_f.bias", np.zeros(HIDDEN, f32)
