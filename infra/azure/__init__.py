"""Azure: what is declared there, what is asked of it, and what a machine there does of its own."""
