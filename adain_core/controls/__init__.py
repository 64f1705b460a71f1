"""Run-time controls, one per file."""
