"""What a run's folder tells, and how it comes home; knows the files, not the program that writes them."""
