"""Trains the tiny model from nothing: data, tokenizer, network, figures.

    python -m tools.demo_model.build --work DIR [--steps 5700 --seed 1 --threads 2]

Goes on from the last checkpoint in DIR when killed. The learning rate falls linearly to zero over
the steps given, so that a busy machine makes the run longer, not worse. Stage 1 (one fact a chunk)
lasts until nine in ten such chunks are answered exactly or a third of the steps is done; then the
chunks grow. Needs torch and tokenizers; knows nothing about LoRA or the demo.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from exchange.errors import NotEnoughData
from exchange.files import atomic_path
from kkoracle.demo.newspaper import build_newspaper
from tools.demo_model import network as nets
from tools.demo_model import tokenizer as tokens
from tools.demo_model.data import ShardBatches, make_shard
from tools.demo_model.evaluation import chunks, pair_metrics, task_metrics
from tools.demo_model.examples import ExampleMaker
from tools.demo_model.muon import Muon

log = logging.getLogger("kkoracle.demo.model")
# A mark, its leading space and the end token; no other answer is as short.
_MARK_TOKENS = 3


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Every number that decides the run; rates are per step."""

    seed: int = 1
    steps: int = 5700
    batch_tokens: int = 4096
    matrix_rate: float = 0.015
    other_rate: float = 3e-3
    warm_steps: int = 50
    mark_weight: float = 6.0
    averaging: float = 0.99  # the weights that are judged and kept are a running average
    shard_examples: int = 10_000
    tokenizer_examples: int = 20_000
    evaluate_every: int = 475  # steps
    checkpoint_every: float = 180.0  # seconds
    stage_one_share: float = 0.30
    stage_one_exact: float = 0.90
    shape: nets.NetworkShape = field(default_factory=nets.NetworkShape)


@dataclass(slots=True)
class BuildProgress:
    """Where a run stands; saved with every checkpoint."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stage: int = 1
    shard: int = 0
    skip: int = 0
    best: float = -1.0


class DemoModelTrainer:
    """One run in a working directory; `train` goes on where the last checkpoint stands."""

    def __init__(self, plan: BuildPlan, work: Path) -> None:
        self.plan, self.work = plan, work
        work.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(plan.seed)
        self.tokenizer = self._tokenizer()
        self.network = nets.Network(plan.shape)
        named = list(self.network.named_parameters())
        matrices = [p for n, p in named if p.ndim == 2 and "embed" not in n]
        others = [p for n, p in named if p.ndim != 2 or "embed" in n]
        self.muon = Muon(matrices, plan.matrix_rate, weight_decay=0.01)
        self.adam = torch.optim.AdamW(others, plan.other_rate, betas=(0.9, 0.95), weight_decay=0.0)
        # Fusing the small operations is worth a fifth of the time; it needs a C++ compiler.
        self.hidden = torch.compile(self.network.hidden, dynamic=True)
        self.average = [p.detach().clone() for p in self.network.parameters()]
        self.progress = BuildProgress()
        self._load()
        newspaper = build_newspaper(seed=7)
        self.newspaper = newspaper
        pieces = [piece for piece in chunks(newspaper) if piece.facts]
        self.pieces = random.Random(0).sample(pieces, 100)
        single = [c for c in chunks(newspaper, 80) if len(c.facts) == 1 and c.facts[0].known]
        self.single = random.Random(0).sample(single, 60)

    def _tokenizer(self) -> Tokenizer:
        path = self.work / "model" / "tokenizer.json"
        if not path.exists():
            maker = ExampleMaker(self.plan.seed)
            texts = []
            for _ in range(self.plan.tokenizer_examples):
                example = maker.example(2)
                texts += [example.user, example.answer]
            shape = self.plan.shape
            trained = tokens.train(texts, shape.vocabulary)
            if trained.get_vocab_size() != shape.vocabulary:
                raise NotEnoughData(f"vocabulary of {trained.get_vocab_size()} tokens")
            tokens.save(trained, self.work / "model", shape.context)
        return Tokenizer.from_file(str(path))

    def _load(self) -> None:
        path = self.work / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
        self.average = state["average"]
        self.progress = BuildProgress(**state["progress"])
        log.info("going on from step %d, %d s", self.progress.step, self.progress.seconds)

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "average": self.average,
            "progress": asdict(self.progress),
        }
        with atomic_path(self.work / "checkpoint.pt") as partial:
            torch.save(state, partial)

    def _shards(self) -> Iterator[tuple[int, Path]]:
        """Shard numbers and files, each made in another process while the one before is used."""

        def start(number: int, stage: int) -> tuple[Future[None], Path]:
            path = self.work / f"shard-{stage}-{number % 4}.npz"
            seed = self.plan.seed * 100_000 + number * 10 + stage
            return pool.submit(_shard, self.work, path, seed, stage, self.plan.shard_examples), path

        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            stage = self.progress.stage
            job, path = start(self.progress.shard, stage)
            while True:
                job.result()
                if stage != self.progress.stage:
                    stage = self.progress.stage
                    job, path = start(self.progress.shard, stage)
                    job.result()
                ready = path
                job, path = start(self.progress.shard + 1, stage)
                yield self.progress.shard, ready
                self.progress.shard += 1
                self.progress.skip = 0

    def _rate(self) -> float:
        """Share of the full learning rate now: a short warm-up, then linearly to zero."""
        plan, progress = self.plan, self.progress
        left = 1 - progress.step / plan.steps
        return max(0.0, min(1.0, (progress.step + 1) / plan.warm_steps, left))

    def _step(self, inputs: np.ndarray, targets: np.ndarray) -> float:
        x, y = torch.from_numpy(inputs), torch.from_numpy(targets)
        with torch.autocast("cpu", torch.bfloat16):
            kept = y >= 0
            logits = self.network.logits(self.hidden(x)[kept])
        plan, rate = self.plan, self._rate()
        each = F.cross_entropy(logits.float(), y[kept], reduction="none")
        # A mark is one token among hundreds of others: it has to count for more to be learned.
        lengths = kept.sum(1, keepdim=True).expand_as(kept)[kept]
        weights = torch.where(lengths <= _MARK_TOKENS, plan.mark_weight, 1.0)
        loss = (each * weights).sum() / weights.sum()
        loss.backward()
        for optimizer, full in (
            (self.muon, self.plan.matrix_rate),
            (self.adam, self.plan.other_rate),
        ):
            for group in optimizer.param_groups:
                group["lr"] = full * rate
        torch.nn.utils.clip_grad_norm_(self.adam.param_groups[0]["params"], 1.0)
        self.muon.step()
        self.adam.step()
        self.muon.zero_grad()
        self.adam.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(self.network.parameters()), 1 - plan.averaging)
        return float(loss.detach())

    def train(self) -> None:
        """Trains for the steps of the plan, then writes the final figures."""
        plan, progress = self.plan, self.progress
        saved = progress.seconds
        losses: list[float] = []
        for number, path in self._shards():
            batches = ShardBatches(path, plan.batch_tokens, plan.seed + number)
            for index, (inputs, targets) in enumerate(batches):
                if index < progress.skip:
                    continue
                began = time.monotonic()
                losses.append(self._step(inputs, targets))
                progress.step += 1
                progress.skip = index + 1
                progress.tokens += inputs.size
                progress.seconds += time.monotonic() - began
                if progress.step % 25 == 0:
                    self._report(losses[-25:])
                if progress.seconds - saved > plan.checkpoint_every:
                    saved = progress.seconds
                    self._save()
                if progress.step % plan.evaluate_every == 0:
                    self._evaluate(sum(losses[-100:]) / len(losses[-100:]))
                    if progress.stage == 2 and path.name.startswith("shard-1"):
                        break
                if progress.step >= plan.steps:
                    break
            if progress.step >= plan.steps:
                break
        self._save()
        if losses and progress.step % plan.evaluate_every:
            self._evaluate(sum(losses[-100:]) / len(losses[-100:]))

    def _report(self, losses: list[float]) -> None:
        progress = self.progress
        pace = progress.tokens / max(1.0, progress.seconds)
        left = (self.plan.steps - progress.step) * progress.seconds / progress.step
        log.info(
            "step %d stage %d loss %.4f rate %.2f, %.1fM tokens, %.0f/s, %.0f min left",
            progress.step,
            progress.stage,
            sum(losses) / len(losses),
            self._rate(),
            progress.tokens / 1e6,
            pace,
            left / 60,
        )

    def _evaluate(self, loss: float) -> None:
        """Generates pairs for newspaper chunks, keeps the best weights, moves to stage 2."""
        progress = self.progress
        judged = nets.Network(self.plan.shape)
        with torch.no_grad():
            for parameter, value in zip(judged.parameters(), self.average, strict=True):
                parameter.copy_(value)
        figures, wrong = pair_metrics(judged, self.tokenizer, self.pieces)
        single, _ = pair_metrics(judged, self.tokenizer, self.single)
        figures["exact_single"] = single["exact_known"]
        figures |= task_metrics(judged, self.tokenizer, self.newspaper, 40)
        record = {**asdict(progress), "loss": round(loss, 4), **figures}
        with (self.work / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        log.info("figures %s", json.dumps(figures))
        for piece, text in wrong[:3]:
            log.info("wrong: %s\n -> %s", piece.text, text)
        limit = self.plan.steps * self.plan.stage_one_share
        enough = figures["exact_single"] >= self.plan.stage_one_exact
        if progress.stage == 1 and (enough or progress.step > limit):
            progress.stage = 2
        if figures["facts_found"] >= progress.best:
            progress.best = figures["facts_found"]
            nets.save(judged, self.work / "model")


def _shard(work: Path, path: Path, seed: int, stage: int, count: int) -> None:
    tokenizer = Tokenizer.from_file(str(work / "model" / "tokenizer.json"))
    make_shard(tokenizer, path, seed, stage, count)


def main(argv: list[str] | None = None) -> int:
    """Parses the command line and trains; the model lies in DIR/model, figures in metrics.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo_model.build")
    parser.add_argument("--work", type=Path, required=True, help="where the run keeps its files")
    parser.add_argument("--steps", type=int, default=5700)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(args.threads)
    plan = BuildPlan(seed=args.seed, steps=args.steps)
    trainer = DemoModelTrainer(plan, args.work)
    size = sum(p.numel() for p in trainer.network.parameters())
    log.info("%.2fM parameters, %.1f MB in float16", size / 1e6, size * 2 / 1e6)
    trainer.train()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
