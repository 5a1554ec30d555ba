"""A character for other programs: files that engines read, and the controller itself.

See ``docs/own-body.md`` and ``docs/engine.md``.
"""
