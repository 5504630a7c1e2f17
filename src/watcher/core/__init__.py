"""Pure rooms: values in, values out. No I/O, clock, randomness, environment or logging here."""
