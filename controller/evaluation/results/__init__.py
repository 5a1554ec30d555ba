"""All tasks and all figures side by side: what ``python -m controller.evaluation.results.evaluate
--all`` measures and writes."""
