"""Tests of crawler/optout."""
