"""Which node, and again or not."""
