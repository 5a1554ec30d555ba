"""Quality of motion and control: figures, distances, diagnosis, trials, results."""
