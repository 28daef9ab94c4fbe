"""Messages leave: taken on a lease, handed off under the gate of consent, and what became of them written down."""
