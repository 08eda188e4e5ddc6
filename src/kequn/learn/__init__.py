"""LEARN: experiments, feedback, segment profit and loss, review."""
