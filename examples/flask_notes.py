"""Notes over HTTP by Flask-SQLAlchemy.

pip install flask-sqlalchemy
python examples/flask_notes.py rqlite://localhost:4001/
"""

from __future__ import annotations

import sys

from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables."""


db = SQLAlchemy(model_class=Base)


class Note(Base):
    """A line of text."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


def make_app(url: str) -> Flask:
    """The application, with its table."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db.init_app(app)
    with app.app_context():
        Base.metadata.create_all(db.engine)

    @app.post("/notes")
    def add() -> dict[str, int]:
        note = Note(text=request.get_data(as_text=True))
        db.session.add(note)
        db.session.commit()
        return {"id": note.id}

    @app.get("/notes")
    def show() -> list[str]:
        # Any node may answer, as long as it heard from the leader within a second.
        options = {"rqlite_level": "none", "rqlite_freshness": "1s"}
        notes = db.session.scalars(
            db.select(Note.text).order_by(Note.id), execution_options=options
        )
        return list(notes)

    return app


if __name__ == "__main__":
    make_app(sys.argv[1]).run()
