"""Logs of the services: what is asked for, where it is read, and how lines that repeat become one."""
