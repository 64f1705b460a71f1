"""The page as a public server: who gets in, who waits, what is kept and what goes."""
