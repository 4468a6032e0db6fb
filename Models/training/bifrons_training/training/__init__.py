"""The training of a detector: recipe, sampling, views, loop and evaluator."""
