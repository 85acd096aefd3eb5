"""Events: what happened, told to webhooks, the event stream and observers."""
