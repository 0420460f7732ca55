"""Pure functions between statements and bytes: requests out, results and errors in."""
