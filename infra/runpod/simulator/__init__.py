"""A stand-in for Runpod on this machine: its REST v2 contract on loopback, with pods of this machine."""
