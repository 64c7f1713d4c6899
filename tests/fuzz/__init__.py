"""
Fuzz of whole sessions, of octets and of the pure parsers. ``python -m twisted.trial tests.fuzz`` runs the quick profile.

Hypothesis is set up in ``tests``: the same examples in every run, unless ``TWISTFTP_FUZZ=long`` asks for fresh ones. State machines and
other dear tests take their numbers from :func:`effort`. Each defect that was found stays as an explicit example.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

__all__ = ["IS_LONG", "effort"]

IS_LONG = os.environ.get("TWISTFTP_FUZZ") == "long"
_FACTOR = int(os.environ.get("TWISTFTP_FUZZ_FACTOR", "100")) if IS_LONG else 1


def effort(examples: int, steps: int = 40) -> settings:
    """So many examples in the quick profile, and times as many in the long one (``TWISTFTP_FUZZ_FACTOR``, 100); ``steps`` of a state machine."""
    phases = [Phase.explicit, Phase.generate, Phase.shrink]  # explaining a failure takes longer than finding it
    return settings(max_examples=examples * _FACTOR, stateful_step_count=steps, phases=phases, suppress_health_check=list(HealthCheck))
