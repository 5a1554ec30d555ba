"""The character: motion data, motion VAE, dynamics, tasks and viewer. Needs neither Gymnasium nor a training library."""
