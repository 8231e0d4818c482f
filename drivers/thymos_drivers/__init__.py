"""Drivers of Thymos: one file a device family."""
