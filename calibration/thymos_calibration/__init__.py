"""Calibration of Thymos: measured once, saved as versioned files."""
