"""Pose to video: a conditional VAE that paints the character's next picture from the last one and
a pose."""
