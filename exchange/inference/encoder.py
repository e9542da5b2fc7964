"""Sentence embeddings of a frozen encoder: BERT, RoBERTa and XLM-R, and what was made of them.

MiniLM, E5, BGE and GTE are such models. Their forward pass is short enough to stand here, on numpy
alone, so that it runs wherever Python does: on a laptop's two cores some hundred answers a second
of a MiniLM. Nothing here knows what the embeddings are for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.display import format_bytes
from exchange.errors import MissingExtra, ModelUnfit, NotAllowed, NotFound, Unreachable, UserError
from exchange.files import atomic_folder
from exchange.inference.batch_width import group_by_length
from exchange.inference.models import (
    CONFIG,
    check_tokenizer,
    context_length,
    is_hub_name,
    read_config,
)
from exchange.machine import install_command

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

KINDS = ("bert", "roberta", "xlm-roberta", "camembert")
WANTED = ("config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json")
ROWS = 32  # texts computed together at most
LONGEST = 512  # tokens of a text
_POOLING = Path("1_Pooling") / "config.json"
_NEVER = -1e9  # added to the attention that pads would get


def locate(name: str, models: Path, confirm: Callable[[str], bool]) -> Path:
    """The folder of an encoder, fetched from the Hub on first use.

    Args:
        models: the data directory's folder of models.
        confirm: asked once, with the size in words, before anything is downloaded.

    Raises:
        UserError: no such folder, no network, not confirmed.
    """
    folder = Path(name).expanduser()
    if folder.exists():
        return folder.resolve()
    if not is_hub_name(name):
        raise NotFound(f"no encoder at {name}: give a folder, or a Hub name")
    kept = models / name.replace("/", "--")
    if (kept / CONFIG).is_file():
        return kept
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError:
        raise MissingExtra(
            f"an encoder from the Hub needs huggingface-hub: {install_command('encoder')}"
        ) from None
    try:
        info = HfApi().model_info(name, files_metadata=True)
        size = sum(file.size or 0 for file in info.siblings or [] if file.rfilename in WANTED)
        if not confirm(f"Download {name} ({format_bytes(size)}) to {kept}?"):
            raise NotAllowed(f"without {name} there are no vectors: leave [score] encoder empty")
        with atomic_folder(kept) as partial:
            snapshot_download(name, local_dir=partial, allow_patterns=list(WANTED))
    except UserError:  # not confirmed, or no room
        raise
    except Exception as error:  # the Hub's client raises many kinds; all mean the same here
        raise Unreachable(
            f"cannot fetch {name} from the Hub ({type(error).__name__}): check the name and the "
            "network, or set [score] encoder to a local folder"
        ) from None
    return kept


class SentenceEncoder:
    """A model folder in Hugging Face layout, ready to embed."""

    def __init__(self, folder: Path) -> None:
        """Read it.

        Raises:
            MissingExtra: safetensors or tokenizers is not installed.
            ModelUnfit: it is no encoder of these kinds, or a file of it cannot be read or believed.
        """
        config = read_config(folder)
        kind = str(config.get("model_type"))
        if kind not in KINDS:
            raise ModelUnfit(f"{folder.name} is {kind!r}: known as encoders are {', '.join(KINDS)}")
        if config.get("hidden_act", "gelu") != "gelu":
            raise ModelUnfit(f"{folder.name}: its activation {config['hidden_act']!r} is not known")
        try:
            from safetensors import SafetensorError
            from safetensors.numpy import load_file
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtra(
                f"an encoder needs {error.name}: {install_command('encoder')}"
            ) from None
        check_tokenizer(folder)
        try:
            stored = load_file(folder / "model.safetensors")
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except (OSError, ValueError, SafetensorError) as error:
            raise ModelUnfit(f"cannot load the encoder in {folder}: {error}") from None
        except Exception as error:  # what tokenizers raises of a damaged file has no class
            raise ModelUnfit(f"cannot load the tokenizer in {folder}: {error}") from None
        names = (kind, "bert", "roberta")
        prefix = next((f"{name}." for name in names if _under(stored, name)), "")
        self._weights = {
            name.removeprefix(prefix): value.astype("float32") for name, value in stored.items()
        }
        self._heads = int(config["num_attention_heads"])
        self._layers = int(config["num_hidden_layers"])
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        pad = int(config.get("pad_token_id") or 0)
        # RoBERTa and what follows it count places from behind the pad's id.
        self._first = 0 if kind == "bert" else pad + 1
        known = context_length(config)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(min(known - self._first, LONGEST) if known else LONGEST)
        self._first_token = _pools_first(folder)
        self.size = int(config["hidden_size"])

    def embed(
        self,
        texts: Sequence[str],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Array:
        """Unit vectors, (texts, size); what is longer than the model reads loses its end."""
        import numpy as np

        found = np.zeros((len(texts), self.size), np.float32)
        tokens = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        done = 0
        for chosen in group_by_length([len(one) for one in tokens], ROWS):
            found[chosen] = self._embed([tokens[index] for index in chosen])
            done += len(chosen)
            progress(done, len(texts))
        return found

    def _embed(self, rows: Sequence[Sequence[int]]) -> Array:
        import numpy as np

        longest = max(map(len, rows))
        ids = np.zeros((len(rows), longest), np.int64)
        real = np.zeros((len(rows), longest), np.float32)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            real[number, : len(row)] = 1
        weights = self._weights
        states = weights["embeddings.word_embeddings.weight"][ids]
        states += weights["embeddings.position_embeddings.weight"][self._first :][:longest]
        states += weights["embeddings.token_type_embeddings.weight"][0]
        states = self._norm(states, "embeddings.LayerNorm")
        unseen = (1 - real)[:, None, None, :] * np.float32(_NEVER)
        for number in range(self._layers):
            states = self._layer(states, unseen, f"encoder.layer.{number}.")
        pooled = states[:, 0] if self._first_token else (states * real[..., None]).sum(axis=1)
        return pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-9)

    def _layer(self, states: Array, unseen: Array, at: str) -> Array:
        import numpy as np

        rows, longest, size = states.shape
        queries, keys, values = (
            self._linear(states, f"{at}attention.self.{name}")
            .reshape(rows, longest, self._heads, size // self._heads)
            .transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scores = queries @ keys.transpose(0, 1, 3, 2) / np.float32(math.sqrt(size // self._heads))
        scores += unseen
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        seen = (scores @ values).transpose(0, 2, 1, 3).reshape(rows, longest, size)
        seen = self._linear(seen, f"{at}attention.output.dense")
        states = self._norm(states + seen, f"{at}attention.output.LayerNorm")
        inner = _gelu(self._linear(states, f"{at}intermediate.dense"))
        return self._norm(
            states + self._linear(inner, f"{at}output.dense"), f"{at}output.LayerNorm"
        )

    def _linear(self, states: Array, name: str) -> Array:
        flat = states.reshape(-1, states.shape[-1])
        found: Array = flat @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return found.reshape(*states.shape[:-1], -1)

    def _norm(self, states: Array, name: str) -> Array:
        import numpy as np

        middle = states - states.mean(axis=-1, keepdims=True)
        spread = np.sqrt((middle * middle).mean(axis=-1, keepdims=True) + self._epsilon)
        found: Array = middle / spread
        return found * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _gelu(values: Array) -> Array:
    """The exact one: BERT's."""
    from scipy.special import erf

    found: Array = values * (erf(values * 0.7071067811865476) + 1) * 0.5
    return found.astype("float32")


def _under(stored: dict[str, Any], name: str) -> bool:
    return f"{name}.embeddings.word_embeddings.weight" in stored


def _pools_first(folder: Path) -> bool:
    """Whether a text's embedding is that of its first token (BGE), not the mean of all."""
    try:
        told = json.loads((folder / _POOLING).read_text("utf-8"))
        return bool(told.get("pooling_mode_cls_token"))
    except (OSError, ValueError, AttributeError):
        return False
