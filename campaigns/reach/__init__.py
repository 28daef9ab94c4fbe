"""Who may be written to now, at which address, how often and at what hour."""
