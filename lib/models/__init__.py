"""Views: genetic programming, price-volume themes, cycles, trend. Models see panels, never
files.
"""
