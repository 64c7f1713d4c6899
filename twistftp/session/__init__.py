"""L3: the server protocol interpreter (RFC 959 §2.2): one client's control connection."""
