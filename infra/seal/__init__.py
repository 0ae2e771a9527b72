"""The side at home of sealed stacks: the key, data sealed before it leaves, runs unsealed when they are back."""
