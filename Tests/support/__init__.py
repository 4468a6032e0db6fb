"""What the tests that run the real programs have in common: processes, clusters, clients, loads, images.

Every environment that scripts/python-environment makes finds this package.
"""
