"""The rows, a module for each part of the protocol; ``catalogue`` puts them into order."""
