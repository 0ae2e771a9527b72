"""The whole of the Runpod target on this machine, with no account: what `python -m stacks rehearse` is made of."""
