"""The faults that a site of the tests can have, by what they touch; users name them through ``twistftp.testing.chaos``."""
