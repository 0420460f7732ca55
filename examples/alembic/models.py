"""The tables as the newest migration leaves them."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables."""


class Account(Base):
    """Holds money."""

    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    balance: Mapped[int] = mapped_column(server_default="0")
    __table_args__ = (CheckConstraint("balance >= 0", name="not_negative"),)
