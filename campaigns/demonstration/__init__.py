"""What the demonstration shows: the sample's own campaigns, and made-up ones that can be tried."""
