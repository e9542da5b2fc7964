"""How the `messages` files are used in TRL, Axolotl and Unsloth; one short file each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trainer.dataset.rows import DatasetRow
from trainer.dataset.split import Split

TRL = """\
# pip install trl peft datasets; then: python trl_sft.py MODEL
import sys

from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

data = load_dataset("json", data_files={"train": "train.jsonl", "valid": "valid.jsonl"})
SFTTrainer(
    model=sys.argv[1],
    train_dataset=data["train"],
    eval_dataset=data["valid"],
    peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"),
    args=SFTConfig(
        output_dir="out",
        learning_rate=2e-4,
        lr_scheduler_type="cosine",
        warmup_steps=0.03,  # a share of all steps
        num_train_epochs=3,
        max_grad_norm=1.0,
        max_length=1024,
        assistant_only_loss=False,  # True where the chat template marks the answer
        packing=False,
    ),
).train()
"""
AXOLOTL = """\
# axolotl train axolotl.yaml; put the model's name here
base_model: MODEL
datasets:
  - path: train.jsonl
    ds_type: json
    type: chat_template
    field_messages: messages
    message_property_mappings:
      role: role
      content: content
test_datasets:
  - path: valid.jsonl
    ds_type: json
    split: train
    type: chat_template
    field_messages: messages
train_on_inputs: false
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
sequence_len: 1024
sample_packing: false
micro_batch_size: 8
num_epochs: 3
learning_rate: 0.0002
lr_scheduler: cosine
warmup_ratio: 0.03
max_grad_norm: 1.0
output_dir: out
"""
UNSLOTH = """\
# pip install unsloth; then: python unsloth_sft.py MODEL
import sys

from unsloth import FastLanguageModel  # first: it changes what is imported after it
from unsloth.chat_templates import train_on_responses_only
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

model, tokenizer = FastLanguageModel.from_pretrained(
    sys.argv[1], max_seq_length=1024, load_in_4bit=True
)
model = FastLanguageModel.get_peft_model(model, r=16, lora_alpha=32, lora_dropout=0)
data = load_dataset("json", data_files={"train": "train.jsonl", "valid": "valid.jsonl"})
data = data.map(
    lambda row: {"text": tokenizer.apply_chat_template(row["messages"], tokenize=False)}
)
trainer = SFTTrainer(
    model=model, processing_class=tokenizer, train_dataset=data["train"],
    eval_dataset=data["valid"],
    args=SFTConfig(output_dir="out", dataset_text_field="text", learning_rate=2e-4,
                   num_train_epochs=3, warmup_steps=20, lr_scheduler_type="cosine"),
)
# The marks of a Mistral template; another template has others.
train_on_responses_only(trainer, instruction_part="[INST]", response_part="[/INST]").train()
"""


def snippet_files(rows: Mapping[Split, Sequence[DatasetRow]]) -> dict[str, tuple[bytes]]:
    """The three files by name."""
    return {
        "trl_sft.py": (TRL.encode(),),
        "axolotl.yaml": (AXOLOTL.encode(),),
        "unsloth_sft.py": (UNSLOTH.encode(),),
    }
