"""Is a motion VAE healthy? Figures, findings, and what to change."""
