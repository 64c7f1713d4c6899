"""
Where a server and those who ask it meet if nobody says otherwise.

Not here: listening there (``control``) and asking (``cli.asking``).
"""

from __future__ import annotations

import os

__all__ = ["usual_places"]

_NAME = "twistftp.sock"


def usual_places() -> list[str]:
    """Paths of the control socket: the server takes the first, those who ask try each (a service has no ``XDG_RUNTIME_DIR``)."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return [os.path.join(directory, _NAME) for directory in ([runtime] if os.path.isabs(runtime) else []) + ["/run"]]
