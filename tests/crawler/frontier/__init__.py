"""Tests of crawler/frontier."""
