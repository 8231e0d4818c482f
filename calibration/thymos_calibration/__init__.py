"""Calibration of Thymos: measured once, saved as versioned files, checked for age when used."""
