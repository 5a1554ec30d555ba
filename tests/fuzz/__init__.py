"""Damaged files and commands by the thousand: `python -m tests.fuzz --minutes 10`."""
