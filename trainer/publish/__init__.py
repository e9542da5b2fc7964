"""From a finished run to what others can use: fused weights, a card, GGUF, Ollama, the Hub.

Each step finds what the step before has left, makes it where it is missing, and does nothing when
it is done already. What is being written stands beside its place until it is whole. Nothing
leaves this machine unless asked.
"""
