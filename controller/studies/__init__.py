"""Experiments: many trainings side by side, their pages, and the figures in the documentation."""
