"""How detectors are measured: metrics, calibration, the served files, conditions, report."""
