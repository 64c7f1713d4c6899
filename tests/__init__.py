"""
The tests, laid out as the package is. ``python -m twisted.trial tests`` runs them.

Hypothesis is set up here: the same examples in every run, unless ``TWISTFTP_FUZZ=long`` asks for many fresh ones.
"""

import os

from hypothesis import settings

settings.register_profile("default", derandomize=True, deadline=None, max_examples=100)
settings.register_profile("long", derandomize=False, deadline=None, max_examples=20_000)
settings.load_profile("long" if os.environ.get("TWISTFTP_FUZZ") == "long" else "default")
