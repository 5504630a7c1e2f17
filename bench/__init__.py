"""Benches through the real processes: each is a program, and prints what it measured."""
