"""Motion capture: catalogue, download, reading, cleaning, and the table of poses for training."""

from controller.data import shards as shards  # so that the loader of data sets knows folders
