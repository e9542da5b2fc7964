"""Tests of the dataset: sources, splits, leaks, formats."""
