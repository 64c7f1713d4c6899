"""A short soak: ``bench/soak.py`` with little time, and what it calls a leak."""
