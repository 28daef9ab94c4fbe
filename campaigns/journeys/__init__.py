"""Journeys: a graph of steps that each person walks at her own pace, by rows that are claimed, moved and told of.

``graph`` reads what was drawn; ``entering`` lets people in; ``walking`` leads on those who are due, by what each kind
of step does (``acting``); ``following`` reads the log for what lets people in and what cuts a wait short.
"""
