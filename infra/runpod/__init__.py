"""Runpod: its REST v2 API, the offers in it, and what a pod of ours is."""
