"""An OpenAI-compatible endpoint for a run: base and tuned as two models of one server.

`app` speaks HTTP on the event loop, `engine` owns the thread in which all of MLX lives, and
`exchange.inference.mlx.engine` decodes. Between the threads only numbers and words cross.
"""
