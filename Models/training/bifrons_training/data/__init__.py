"""The data folder: its catalogue, checked as a whole, how it is divided, and its pictures, decoded once."""
