"""What Twintill costs, measured on real parts: webhook intake and collecting, as ratios."""
