"""What only the tool asks of Google Cloud: topics and subscriptions, IAM, Cloud Run."""
