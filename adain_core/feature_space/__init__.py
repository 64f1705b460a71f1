"""Style transfer in feature space: one pass through encoder, transform, and decoder."""
