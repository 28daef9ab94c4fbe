"""The preference page: what a person sees of her data and decides about it, by a signed link and without a log-in."""
