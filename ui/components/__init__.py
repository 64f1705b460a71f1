"""Components shared by the tabs."""
