"""Figures that the paper states for its own controllers (Ling et al. 2020)."""

from __future__ import annotations

FOOT_SKATE = {
    "captured": 0.10,
    "random": 0.067,
    "target": 0.27,
    "joystick": 0.28,
    "path": 0.30,
    "maze": 0.24,
}
"""In cm a frame at 30 frames/s, by task, for the motion VAE with β = 0.2 and six experts."""
RESPONSE = {"response_s": 1.62, "response_left_s": 1.70, "response_right_s": 1.56}
"""Seconds until the heading is within 5° of a new one."""
MINUTES = 17
"""Minutes of captured walking, running, turning, stopping and resting."""
