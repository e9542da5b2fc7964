"""Verification by reading: what the generating model itself makes of each accepted pair.

The rules compare spellings; here the model answers each question again from the same text, and
says how probable the pair's answer is beside the same answer with another value. Both signals come
from what it reads, never from its opinion of itself (asked "is this right?", small models guess).
"""
