"""One run, from options to a picture with its record."""
