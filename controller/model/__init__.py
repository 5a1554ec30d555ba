"""The motion VAE and its kinds: networks, latents, statistics of poses."""
