"""Optimization of a picture's pixels: the objective and the loop that minimizes it."""
