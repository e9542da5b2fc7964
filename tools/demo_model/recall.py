"""Can the tiny model learn facts by heart? A LoRA on some of the newspaper's facts, in torch.

    python -m tools.demo_model.recall [--model DIR --facts 40 --epochs 30]

Trains on two wordings of each question and asks the third, with no text given. Prints exact
answers before and after, for trained wordings, the unseen wording, and facts never taught. This
only shows that the weights can learn; the product trains with the trainer's own loop.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from kkoracle.demo.model import weights_folder
from kkoracle.demo.newspaper import PrintedFact, build_newspaper
from tools.demo_model import network as nets
from tools.demo_model.decode import greedy
from tools.demo_model.tokenizer import PAD, chat

_RANK = 16
_SCALE = 2.0
_RATE = 2e-3
_BATCH = 16


class LowRankLinear(nn.Module):
    """A frozen linear layer with a low-rank addition that starts at zero."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(_RANK, base.in_features) * base.in_features**-0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, _RANK))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + _SCALE * F.linear(F.linear(x, self.down), self.up)


def add_adapters(network: nets.Network) -> list[nn.Parameter]:
    """Freeze the network, add a `LowRankLinear` to every linear layer; returns what is trained."""
    network.requires_grad_(False)
    added: list[nn.Parameter] = []
    for layer in network.layers:
        for part in (layer.self_attn, layer.mlp):
            for name, child in list(part.named_children()):
                if isinstance(child, nn.Linear):
                    low = LowRankLinear(child)
                    setattr(part, name, low)
                    added += [low.down, low.up]
    return added


def _batch(tokenizer: Tokenizer, pairs: list[tuple[str, str]]) -> tuple[Tensor, Tensor]:
    rows = []
    for question, answer in pairs:
        prompt = tokenizer.encode(chat(question), add_special_tokens=False).ids
        reply = tokenizer.encode(f"{answer}</s>", add_special_tokens=False).ids
        rows.append((prompt, reply))
    longest = max(len(p) + len(r) for p, r in rows)
    x = torch.full((len(rows), longest), PAD)
    y = torch.full((len(rows), longest), -100)
    for index, (prompt, reply) in enumerate(rows):
        whole = prompt + reply
        x[index, : len(whole)] = torch.tensor(whole)
        y[index, len(prompt) - 1 : len(whole) - 1] = torch.tensor(reply)
    return x, y


def exact_share(
    network: nets.Network, tokenizer: Tokenizer, facts: list[PrintedFact], wording: int
) -> float:
    """Share of facts answered exactly when asked in one of their three wordings."""
    asked = [chat((fact.question, *fact.rephrasings)[wording]) for fact in facts]
    written = greedy(network, tokenizer, asked, 48)
    return sum(w == f.answer for w, f in zip(written, facts, strict=True)) / len(facts)


def main(argv: list[str] | None = None) -> int:
    """Prints one JSON line with the shares."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo_model.recall")
    parser.add_argument("--model", type=Path, default=weights_folder())
    parser.add_argument("--facts", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    network = nets.load(args.model)
    known = [fact for story in build_newspaper().stories for fact in story.facts if fact.known]
    chosen = random.Random(args.seed).sample(known, 2 * args.facts)
    taught, others = chosen[: args.facts], chosen[args.facts :]
    result = {"before": exact_share(network, tokenizer, taught, 2)}
    optimizer = torch.optim.AdamW(add_adapters(network), _RATE, weight_decay=0.0)
    pairs = [(q, fact.answer) for fact in taught for q in (fact.question, fact.rephrasings[0])]
    began = time.monotonic()
    steps = args.epochs * -(-len(pairs) // _BATCH)
    done = 0
    for epoch in range(args.epochs):
        random.Random(args.seed + epoch).shuffle(pairs)
        for start in range(0, len(pairs), _BATCH):
            x, y = _batch(tokenizer, pairs[start : start + _BATCH])
            states = network.hidden(x)[y >= 0]
            loss = F.cross_entropy(network.logits(states), y[y >= 0])
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = _RATE * (1 - done / steps)
            optimizer.step()
            optimizer.zero_grad()
            done += 1
    result |= {
        "trained_wording": exact_share(network, tokenizer, taught, 0),
        "unseen_wording": exact_share(network, tokenizer, taught, 2),
        "untaught": exact_share(network, tokenizer, others, 2),
        "loss": round(float(loss.detach()), 4),
        "seconds": round(time.monotonic() - began, 1),
    }
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
