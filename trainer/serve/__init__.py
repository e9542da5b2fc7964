"""An OpenAI-compatible endpoint for a run: base and tuned as two models of one server.

`app` speaks HTTP on the event loop, `protocol` is what it reads and writes, and
`inference_thread` owns the thread in which all of MLX lives. Between the two only requests and
pieces of text cross.
"""
