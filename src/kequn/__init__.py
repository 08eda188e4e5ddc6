"""Kequn (客群): customer segmentation and customer-group positioning."""

__version__ = "0.1.0"
