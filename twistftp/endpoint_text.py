"""
Twisted's server endpoints as administrators write them: whether one can be used.

Not here: what may be an endpoint's place in the settings (``configuration``), and opening it (``binding``, ``monitoring``).
"""

from __future__ import annotations

from twistftp.twisted_tls import is_left_out, is_wanted_by

__all__ = ["endpoint_trouble"]

_WITHOUT_TLS = "may want Twisted's own TLS, which this server was started without; restart it"


def endpoint_trouble(text: str) -> str:
    """Why ``text`` is not a server endpoint, ``""`` if it is. Nothing is opened."""
    from twisted.internet.endpoints import serverFromString

    lacks_tls = is_left_out() and is_wanted_by(text)
    try:
        serverFromString(None, text)
    except AttributeError:
        return ""  # an endpoint plugin that wants its reactor at once: the start will tell
    except Exception as error:
        if lacks_tls and isinstance(error, (NameError, ImportError)):  # so endpoints that were imported without
            return _WITHOUT_TLS
        reason = " ".join(str(error).split()) or type(error).__name__
        return f"is no usable Twisted endpoint, such as tcp:2121, tcp6:2121, unix:/run/ftp.sock or haproxy:tcp:2121 ({reason})"
    return _WITHOUT_TLS if lacks_tls else ""
