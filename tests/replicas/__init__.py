"""The proof that what the driver sends comes out the same on every node, and at every replay of its log."""
