"""Data and runs that lie on a rented disk only encrypted (age), and are opened in memory alone."""
