"""Ground that is not flat: its height and normal, and poses that stand on it. It is only under what
is drawn; nothing here is fed back into the simulation."""
