"""Tests of crawler/fetch."""
