"""The speed of everything on this machine: ``python -m controller benchmark``.

See ``docs/performance.md``.
"""
