"""Benchmarks: the driver against its peers, and the embedded server against rqlited."""
