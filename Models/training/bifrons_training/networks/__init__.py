"""The networks, and where their first weights come from."""
