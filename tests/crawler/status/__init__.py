"""Tests of crawler/status."""
