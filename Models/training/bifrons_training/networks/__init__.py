"""The networks and the sources of their initial weights."""
