"""Transactions over real servers: what applications see, and what other clients may do meanwhile."""
