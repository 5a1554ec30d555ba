"""What the user does: window, keyboard, mouse and gamepad, and the motion that it asks for."""
