"""Groups of people: segments as one statement each, counted, sampled and written down over time; and static lists."""
