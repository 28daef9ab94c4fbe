"""What a campaign caused: outcomes kept up, sums, intervals, and the report in words, tables and files."""
