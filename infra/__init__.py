"""What is asked of a cloud, of Docker and of machines reached by SSH; knows nothing of the program that runs there."""
