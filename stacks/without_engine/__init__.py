"""Drives our plugin where there is no pulumi program: for rehearsals and tests, not a second Pulumi."""
