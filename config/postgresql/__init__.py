"""PostgreSQL as Django knows it, but for how a kept connection is found to be usable."""
