"""Tests of crawler/duplicates."""
