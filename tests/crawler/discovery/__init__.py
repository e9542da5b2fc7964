"""Tests of crawler/discovery."""
