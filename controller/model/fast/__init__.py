"""The fast paths: one character compiled, or its step recorded on a GPU."""
