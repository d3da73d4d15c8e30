"""Routes about requests for money. They are paid in api/payments/."""
