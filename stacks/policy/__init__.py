"""Rules that stop an `up`: pure functions over what is declared, and the policy pack that Pulumi's engine runs them in.

The pack has an environment of its own (requirements.txt here), since its SDK wants other versions than the rest. So
nothing below this folder imports more than Python's standard library, but for `__main__.py`.
"""
