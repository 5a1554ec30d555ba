"""What everything stands on: errors, whole files, checkpoints, devices, processes. Knows nothing of
motion."""
