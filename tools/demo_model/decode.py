"""Greedy decoding of many prompts at once in torch: what the model writes while it trains."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer

from tools.demo_model.network import Network
from tools.demo_model.tokenizer import EOS, PAD


@torch.inference_mode()
def greedy(
    network: Network, tokenizer: Tokenizer, prompts: list[str], most: int = 160, batch: int = 64
) -> list[str]:
    """What the network writes after each prompt (chat text with its specials), in order.

    Stops at the end token or after `most` tokens.
    """
    network.eval()
    encoded = [e.ids for e in tokenizer.encode_batch(prompts, add_special_tokens=False)]
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
    texts = [""] * len(prompts)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        written = _decode(network, [encoded[index] for index in chosen], most)
        for index, ids in zip(chosen, written, strict=True):
            texts[index] = tokenizer.decode(ids)
    network.train()
    return texts


def _decode(network: Network, prompts: list[list[int]], most: int) -> list[list[int]]:
    longest = max(map(len, prompts))
    pads = torch.tensor([longest - len(prompt) for prompt in prompts])
    tokens = torch.tensor([[PAD] * (longest - len(p)) + p for p in prompts])
    # Left padding: real tokens keep their own positions and never look at a pad.
    places = torch.arange(longest)
    positions = (places[None] - pads[:, None]).clamp(min=0)
    seen = places[None] >= pads[:, None]
    causal = places[:, None] >= places[None]
    # A pad looks at itself, or its row of attention would be empty.
    mask = (causal[None] & seen[:, None]) | torch.eye(longest, dtype=torch.bool)[None]
    caches: list[list[torch.Tensor]] = [[] for _ in network.layers]
    states = network.hidden(tokens, positions, mask[:, None], caches)[:, -1]
    written: list[list[int]] = [[] for _ in prompts]
    done = torch.zeros(len(prompts), dtype=torch.bool)
    for step in range(most):
        best = network.logits(states).argmax(-1)
        done |= best == EOS
        if bool(done.all()):
            break
        for row, token in enumerate(best.tolist()):
            if not done[row]:
                written[row].append(token)
        seen = torch.cat([seen, torch.ones(len(prompts), 1, dtype=torch.bool)], 1)
        here = (longest + step - pads)[:, None]
        states = network.hidden(best[:, None], here, seen[:, None, None], caches)[:, -1]
    return written
