"""Customer lifetime value models fitted by maximum likelihood."""
