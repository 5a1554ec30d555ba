"""Skeletons and their motion: rotations, kinematics, the pose vector, feet, and the field's
measures."""
