"""Tests of crawler/learn."""
