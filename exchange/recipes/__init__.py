"""Prompt files in every language, their loader, and what identifies a generation."""
