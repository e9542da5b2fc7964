"""Tests of crawler/importing."""
