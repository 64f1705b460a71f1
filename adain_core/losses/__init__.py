"""Losses on features, one a file."""
