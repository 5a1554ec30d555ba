"""Skeletons and their motion: rotations, kinematics, roles of joints, the pose vector, feet and
measures."""
