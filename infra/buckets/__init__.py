"""Object stores of any cloud: folders sent there and brought home, verified, and runs read where they lie."""
