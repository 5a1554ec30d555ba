"""Control of a character: its folder, actors, policies, the navigator, Monte Carlo control."""
