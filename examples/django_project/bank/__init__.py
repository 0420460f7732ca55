"""A bank: accounts, transfers, the admin."""
