"""What Prefect deploys: orchestration only. Decisions are in `reconcile`, work is in `tasks`."""
