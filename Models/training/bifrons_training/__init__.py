"""How the networks of Bifrons are made: from a folder of labelled pictures to the folders that workers serve.

The entry points are `bifrons_training.make_locator` and `bifrons_training.make_models`. A subpackage imports only from
those that stand before it here: `preprocessing`, `data`, `networks`, `evaluation`, `data_report`, `augmentation`,
`training`, `publishing`, `locator`, `experiments`.
"""
