"""What the user does: window, keyboard, mouse and gamepad, and steering by them."""
