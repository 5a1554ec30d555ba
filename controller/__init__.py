"""The character: motion data, motion VAE, dynamics, tasks and viewer. Needs no training library."""
