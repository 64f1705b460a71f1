"""Optical flow between the frames of a video: estimated, checked, applied, and shown."""
