"""
Session capsules: all of one session's octets and their timing as a file, and the replay of such a file in memory.

``format`` is what a capsule says; ``masking``, ``control``, ``data``, ``learning`` and ``recording`` write them, the others play them.
"""
