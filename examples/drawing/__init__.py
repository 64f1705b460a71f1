"""Style pictures painted by code: brushes here, one file per style in `styles`."""
