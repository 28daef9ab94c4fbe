"""What apps may ask and do of campaigns; ``config.api`` gives each resource its address."""
