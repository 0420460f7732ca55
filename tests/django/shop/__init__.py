"""An application for the tests."""
