"""Motion capture: catalogue, download, reading, cleaning, and the table of poses for training."""
