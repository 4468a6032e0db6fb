"""Trains the networks of Bifrons: from a folder of labelled images to the model folders that workers serve.

The entry points are `bifrons_training.make_locator` and `bifrons_training.make_models`. A subpackage imports only from
the subpackages listed before it: `preprocessing`, `data`, `networks`, `evaluation`, `data_report`, `augmentation`,
`training`, `publishing`, `locator`, `experiments`.
"""
