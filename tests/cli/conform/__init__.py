"""Tests of ``twistftp conform``."""
