"""The evaluation of detectors: metrics, calibration, served files, conditions and the report."""
