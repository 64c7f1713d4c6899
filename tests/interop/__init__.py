"""Dialogues over real sockets: client libraries, client programs, and clients and networks that misbehave."""
