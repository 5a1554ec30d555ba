"""How good motion and control are: figures, distances, diagnosis, trials, results."""
