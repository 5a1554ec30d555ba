"""All tasks and all figures side by side: what ``python -m controller evaluate --all`` measures and
writes."""
