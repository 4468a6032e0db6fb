"""The data report, run as `python -m bifrons_training.data_report`."""
