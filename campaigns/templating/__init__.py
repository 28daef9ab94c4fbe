"""Templates: checked, cleaned, compiled and rendered inside a sandbox."""
