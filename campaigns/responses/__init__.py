"""What comes back: links followed, messages opened, and what providers and people tell."""
