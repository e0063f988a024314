"""Plimsoll beside somebody's own PostgreSQL."""
