"""The product with pages and tasks added that fail on personal data, in every way that we could think of."""
