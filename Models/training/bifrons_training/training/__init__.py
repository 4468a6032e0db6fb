"""How a detector is trained: recipe, sampling, views, loop, evaluator."""
