"""Measurements of speed, memory, and quality, one command per file."""
