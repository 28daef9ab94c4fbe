"""What apps may ask of what was learned; ``config.api`` gives each resource its address."""
