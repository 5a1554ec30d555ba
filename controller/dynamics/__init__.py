"""The frozen decoder as dynamics: characters, their states, and rollouts."""
