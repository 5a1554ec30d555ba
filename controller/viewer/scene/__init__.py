"""What is to be drawn, and from where: poses, marks, texts, cameras. No OpenGL."""
