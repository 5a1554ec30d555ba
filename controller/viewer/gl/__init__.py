"""How it is drawn, with OpenGL."""
