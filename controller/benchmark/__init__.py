"""How fast everything is on this machine: ``python -m controller benchmark``, see
``docs/performance.md``."""
