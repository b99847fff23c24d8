"""The events that cross between services, and the kinds of incident.

Models here are what a consumer of this release reads and a producer of this release writes.
Each released version is frozen in ``schemas/`` and exemplified in ``golden/``.
"""
