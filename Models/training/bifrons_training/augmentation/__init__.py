"""What is done to training pictures, one by one and in batches, and pictures that are made for training."""
