"""What people and tools read: tables of reports, traces."""
