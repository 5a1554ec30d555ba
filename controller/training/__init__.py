"""Training a motion VAE: the loop, its losses and schedules, and who watches it."""
