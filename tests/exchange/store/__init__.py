"""Tests of the SQLite files."""
