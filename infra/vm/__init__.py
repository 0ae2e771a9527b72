"""What a rented virtual machine does by itself from its first boot: one program, and the text that starts it."""
