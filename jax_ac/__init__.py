"""jax_ac"""
