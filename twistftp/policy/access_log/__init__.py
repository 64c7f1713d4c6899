"""The formats of access logs: a pure function each, from what happened to one line of text."""
