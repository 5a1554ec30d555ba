"""File formats of motion."""
