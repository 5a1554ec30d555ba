"""What a person does: window, keyboard, mouse, game pad, and what that means."""
