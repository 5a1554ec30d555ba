"""Whether a motion VAE is healthy: figures, findings, and what to change."""
