"""Comparisons: the judge, its metrics, reports and sheets."""
