"""The model card: what it is, how well it does, whose the text is, and how to ask it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from exchange.display import one_line
from trainer.publish.artifacts import FusedModel
from trainer.publish.results import CardResults

QUESTION = "…"  # the reader's own


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything that stands on the card."""

    name: str  # what the model calls itself
    newspaper: str
    language: str
    goal: str
    system: str  # message that it was taught with; may be empty
    base: str  # Hub name; a local folder's own name
    base_on_hub: bool
    license: str  # "" for "other"
    rights: str  # agreed with the newspaper; may be empty
    fused: FusedModel
    kind: str  # lora, dora or full
    settings: dict[str, object]
    results: CardResults
    repository: str = ""  # on the Hub; "" before it has one


def render_card(about: ModelCard) -> str:
    """The text of README.md, with its YAML head."""
    return "\n".join([*_head(about), *_body(about)]) + "\n"


def _head(about: ModelCard) -> list[str]:
    lines = ["---", f"language: {_yaml(about.language)}"]
    if about.license:
        lines.append(f"license: {_yaml(about.license)}")
    else:
        lines += ["license: other", "license_name: rights-of-the-newspaper"]
    lines += [
        f"library_name: {'mlx' if about.fused.bits else 'transformers'}",
        "pipeline_tag: text-generation",
        "tags:",
        "- mlx",
        "- kkoracle",
        f"- {_yaml(about.kind)}",
    ]
    if about.base_on_hub:
        lines.append(f"base_model: {_yaml(about.base)}")
    return [*lines, *_index(about), "---", ""]


def _index(about: ModelCard) -> list[str]:
    """The results once more, as the Hub reads them."""
    if not about.results.rows:
        return []
    lines = ["model-index:", f"- name: {_yaml(about.name)}", "  results:"]
    for on in dict.fromkeys(result.on for result in about.results.rows):
        lines += [
            "  - task:",
            "      type: text-generation",
            "    dataset:",
            f"      name: {_yaml(f'{about.newspaper}: {on}')}",
            f"      type: {_yaml('kkoracle-' + about.fused.dataset)}",
            "    metrics:",
        ]
        for result in about.results.rows:
            if result.on == on:
                lines += [
                    f"    - type: {_yaml(result.measure.partition(',')[0].replace(' ', '-'))}",
                    f"      name: {_yaml(result.measure)}",
                    f"      value: {result.tuned:.4f}",
                ]
    return lines


def _body(about: ModelCard) -> list[str]:
    return [
        f"# {_plain(about.name)}",
        "",
        f"A language model that was tuned on the archive of {_code(about.newspaper)}, to "
        f"{_plain(about.goal)}. It was made from {_code(about.base)} with "
        "[mlx-lm](https://github.com/ml-explore/mlx-lm) by kkoracle.",
        "",
        *_rights(about),
        *_evaluation(about),
        *_usage(about),
        *_making(about),
        *_limits(),
    ]


def _rights(about: ModelCard) -> list[str]:
    lines = ["## Rights", ""]
    if about.rights:
        lines += [_plain(about.rights), ""]
    return [
        *lines,
        "The articles belong to the newspaper and their authors. This model was tuned on questions "
        "and answers drawn from them, and may repeat passages word for word. This card grants no "
        "right to that text. Before you publish or share the model, or build on it, ask the "
        "newspaper, and look at the law on text and data mining where you live. The licence of "
        f"{_code(about.base)} applies as well.",
        "",
    ]


def _evaluation(about: ModelCard) -> list[str]:
    lines = ["## Evaluation", ""]
    if not about.results.rows:
        return [*lines, "Not measured yet.", ""]
    lines += ["| on | measure | rows | base | tuned |", "|---|---|--:|--:|--:|"]
    for one in about.results.rows:
        lines.append(
            f"| {_plain(one.on)} | {_plain(one.measure)} | {one.rows or ''} "
            f"| {one.shown(one.base)} | {one.tuned_shown} |"
        )
    if about.results.verdict:
        lines += ["", f"Verdict of the evaluation: {_plain(about.results.verdict)}."]
    lines += [
        "",
        "Base and tuned model were asked alike, greedily. Stories that were never taught "
        "show what the model guesses rather than knows.",
    ]
    if about.fused.weighed:
        lines += [
            "",
            "Fusing was weighed by the loss over the same rows (nats per answer token):",
            "",
            "| rows of | rows | base | with adapter | fused | share of the gain lost |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        for split, of in about.fused.weighed.items():
            lines.append(
                f"| {split} | {of.rows} | {of.base:.4f} | {of.tuned:.4f} "
                f"| {of.fused:.4f} | {of.lost:.2%} |"
            )
    return [*lines, ""]


def _usage(about: ModelCard) -> list[str]:
    where = json.dumps(about.repository or ".", ensure_ascii=False)
    turns = [{"role": "user", "content": QUESTION}]
    if about.system:
        turns.insert(0, {"role": "system", "content": about.system})
    messages = json.dumps(turns, ensure_ascii=False)
    lines = [
        "## How to ask it",
        "",
        *([] if about.repository else ["Run these in the folder of this file.", ""]),
        "With mlx-lm, on a Mac with Apple silicon:",
        "",
        "```python",
        "from mlx_lm import generate, load",
        "",
        f"model, tokenizer = load({where})",
        f"messages = {messages}",
        "prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True)",
        "print(generate(model, tokenizer, prompt=prompt, max_tokens=256))",
        "```",
        "",
    ]
    if about.fused.bits:
        return lines
    return [
        *lines,
        "With transformers, anywhere:",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f"tokenizer = AutoTokenizer.from_pretrained({where})",
        f'model = AutoModelForCausalLM.from_pretrained({where}, dtype="auto")',
        f"messages = {messages}",
        "prompt = tokenizer.apply_chat_template(",
        '    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True',
        ")",
        "answer = model.generate(**prompt, max_new_tokens=256, do_sample=False)",
        'print(tokenizer.decode(answer[0, prompt["input_ids"].shape[1] :], '
        "skip_special_tokens=True))",
        "```",
        "",
        "With Ollama: `kkoracle publish gguf` and `kkoracle publish ollama` make a GGUF file and a "
        "Modelfile; then",
        "",
        "```sh",
        f"ollama create {_slug(about.name)} -f Modelfile",
        f"ollama run {_slug(about.name)}",
        "```",
        "",
    ]


def _making(about: ModelCard) -> list[str]:
    shown = ("rank", "alpha", "layers", "dropout", "lr", "epochs", "batch", "accumulate", "seed")
    settings = ", ".join(f"{key} {about.settings[key]}" for key in shown if key in about.settings)
    return [
        "## How it was made",
        "",
        f"- base: {_code(about.base)} ({about.fused.model_sha})",
        f"- recipe: {about.kind}; {settings}",
        f"- dataset: `{about.fused.dataset}`, split by clusters of near-duplicate stories",
        f"- adapter: {about.fused.checkpoint} checkpoint, `{about.fused.adapter_sha}`",
        f"- weights: {f'{about.fused.bits} bit' if about.fused.bits else about.fused.type}",
        "",
    ]


def _limits() -> list[str]:
    return [
        "## Limits",
        "",
        "It answers from memory: names, dates and numbers can be wrong, and it can invent what it "
        "does not know. It repeats the newspaper's view of things and its time. Check what matters "
        "against the printed page.",
    ]


def _yaml(text: str) -> str:
    """A YAML scalar: JSON's strings are YAML's too."""
    return json.dumps(text, ensure_ascii=False)


def _plain(text: str) -> str:
    """One line that stays text: no markup, no control characters."""
    line = one_line(text)
    for mark in "\\`*_[]<>|#":
        line = line.replace(mark, "\\" + mark)
    return line


def _code(text: str) -> str:
    return f"`{''.join(c for c in text if c.isprintable() and c != '`')}`"


def _slug(text: str) -> str:
    return (
        "".join(c for c in text.lower() if c.isascii() and (c.isalnum() or c in "-_")) or "oracle"
    )
