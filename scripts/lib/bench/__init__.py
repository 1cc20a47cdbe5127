"""Benchmarks of Coffer against its peers."""
