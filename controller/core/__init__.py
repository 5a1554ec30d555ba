"""The foundation: errors, files, checkpoints, devices, processes. Knows nothing of motion."""
