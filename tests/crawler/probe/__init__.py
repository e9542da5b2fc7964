"""Tests of crawler/probe."""
