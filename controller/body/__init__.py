"""A skinned body for any skeleton, and the file that stores it."""
