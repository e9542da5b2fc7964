"""A model's reply that nobody generated: for tests, benches and archives that are made up."""

from __future__ import annotations

from typing import Any

from exchange.records import Completion


def made_up_completion(task_id: str, text: str = "made up", **fields: Any) -> Completion:
    """A valid reply to a task; `fields` are those of the record that the caller looks at."""
    return Completion(
        **{
            "task_id": task_id,
            "text": text,
            "finish_reason": "stop",
            "tokens_in": 400,
            "tokens_out": 200,
            "seconds": 1.0,
            "model": "made-up",
            "quantisation": "float32",
            "engine": "mlx",
            "prompt": "el/chunk",
            "prompt_sha": "00",
            "seed": 1,
            "generated_at": "2026-01-02T03:04:05+00:00",
            **fields,
        }
    )
