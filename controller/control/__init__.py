"""What acts: actors, policies, a navigator, Monte Carlo control, and the shipped weights."""
