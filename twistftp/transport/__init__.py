"""L2: connections. A reactor is passed in; no verb and no reply is known here."""
