"""What this machine has: files that can't be lost, memory, and a console."""
