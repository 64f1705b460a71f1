"""Videos: reading, stylizing frame by frame without flicker, and writing."""
