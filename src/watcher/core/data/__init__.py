"""Data that the core reads: what changes more often than code."""
