"""What apps may read over REST: profiles, their events, and items; ``config.api`` gives each its address."""
