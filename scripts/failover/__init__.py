"""A cluster on one machine, and what must hold while its primary fails. Run it by scripts/cluster."""
