"""What is drawn, and from where: poses, the stage, texts, sliders, the camera. No OpenGL."""
