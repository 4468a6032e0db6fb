"""What the tests that run the real programs share: processes, clusters, clients, loads and images.

Every environment that scripts/python-environment makes can import this package.
"""
