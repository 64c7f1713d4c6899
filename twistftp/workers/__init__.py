"""Several processes that serve as one: a supervisor, which never serves, and workers that it forks and replaces. Nothing here knows a verb."""
