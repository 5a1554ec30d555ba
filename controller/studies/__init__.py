"""Experiments: trainings side by side, reports on them, and the figures in the documentation."""
