"""Tests of crawler/extract."""
