"""What a cloud tells a machine before it takes it away, each cloud in its own way."""
