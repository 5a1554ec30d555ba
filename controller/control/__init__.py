"""Control of a character: actors, policies, the navigator, Monte Carlo control, shipped weights."""
