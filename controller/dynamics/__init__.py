"""A character in motion: the frozen decoder as dynamics, and recordings of it."""
