"""The report on the data, run as `python -m bifrons_training.data_report`."""
