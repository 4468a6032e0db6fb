"""Augmentation of single training images and of batches, and images generated for training."""
