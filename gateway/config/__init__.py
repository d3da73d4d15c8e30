"""The settings, read once from the environment and from a file.

config.py   every setting: its default, its meaning, how it is parsed
"""
