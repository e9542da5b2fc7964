"""Tests of the Redis process and its thread."""
