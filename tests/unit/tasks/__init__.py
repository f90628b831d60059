"""Tests of the steps and of what carries a plan out."""
