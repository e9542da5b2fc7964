"""The one way to a language model: local on MLX, or any OpenAI-compatible endpoint.

`engine` says what an engine is; `mlx.engine` and `openai_engine` are the two there are. Tokens
are decoded and scored here alone, training's own loss excepted.
"""
