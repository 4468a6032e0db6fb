"""Experiments: programs that publish no model."""
