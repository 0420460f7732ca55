"""The SQLAlchemy dialect for rqlite: `create_engine("rqlite+pyrqlite://host:4001/")`."""
