"""Targets, composed of the parts in infra; and the verbs that look at them and end them."""
