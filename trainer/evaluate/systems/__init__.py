"""What is evaluated: a model with a prompt strategy makes a system, and all systems answer alike.

`strategies` turns a question into a prompt (plain, with examples, with passages that were found,
with the gold chunk), `client` is what a model must be able to do, `local` and the endpoint in
`client` are the two that can, `answer_cache` keeps every answer, so that none is computed twice.
"""
