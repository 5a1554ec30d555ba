"""Motion capture in: catalogue, download, reading, cleaning, and the table of poses that training
sees."""
