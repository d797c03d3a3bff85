"""Compiled loops over many lines at once: what is plain is read here, the rest by the reference."""
