"""Servers on the loopback interface that speak the engines' protocols: scripted, strict, and able to misbehave."""
