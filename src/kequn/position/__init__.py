"""POSITION: market, competitors, attractiveness and fit, strategy."""
