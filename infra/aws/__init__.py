"""Amazon Web Services: what is declared there, and what is asked of it directly."""
