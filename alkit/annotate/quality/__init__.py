"""Quality of labels: agreement, aggregation, report and the live learning curve."""
