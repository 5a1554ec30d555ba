"""The window and what is seen in it. Knows skeletons and poses, and neither the model nor the task."""
