"""The data folder: its validated catalogue, its splits and its decoded images."""
