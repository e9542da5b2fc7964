"""Tests of the room that asks language models."""
