"""Campaigns that stop themselves: signals, bands, alarms, and the people who are called."""
