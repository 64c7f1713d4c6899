"""L1: decisions about values. Pure: what they need to know, the time included, is passed in."""
