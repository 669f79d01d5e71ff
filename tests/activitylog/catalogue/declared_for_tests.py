"""Classes of every library that are declared to be events."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import attrs
import msgspec
import pydantic
import pydantic.dataclasses
from typing_extensions import Doc

import activitylog

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


class Channel(enum.StrEnum):
    """Texts."""

    WEB = "web"
    APP = "app"


@activitylog.event("shop.order.placed", version=2, owner="team-orders")
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """
    A customer placed an order.

    It may be unpaid.
    """

    object: object
    channel: Annotated[Channel, "where it came from"]
    total: decimal.Decimal = dataclasses.field(metadata={"doc": "in euros"})
    coupon: Annotated[str | None, Doc("of a campaign")] = None
    seen_by: Unknown = None
    number: int = dataclasses.field(init=False)


@activitylog.event("shop.order.paid")
@attrs.define
class OrderPaid:
    """The bank confirmed it."""

    at: dt.datetime = attrs.field(metadata={"description": "when the bank did"})
    tries: int = attrs.field(init=False)


@activitylog.event("shop.order.audited")
@attrs.define(auto_attribs=False)
class OrderAudited:
    """Old style: the type is an argument."""

    by = attrs.field(type=str)  # type: ignore[var-annotated, unused-ignore]
    risk = attrs.field(default=None)  # type: ignore[var-annotated, unused-ignore]


@activitylog.event("shop.order.shipped")
class OrderShipped(msgspec.Struct, kw_only=True):
    """It left the house."""

    weight: Annotated[float, msgspec.Meta(description="in kilograms", gt=0)]
    parcels: list[str] = []
    note: str | msgspec.UnsetType = msgspec.UNSET
    carrier: Literal["post", "bike"]


@activitylog.event("shop.order.returned")
class OrderReturned(pydantic.BaseModel):
    """It came back."""

    reason: str = pydantic.Field(description="what the customer said")
    days: Annotated[pydantic.PositiveInt, pydantic.Field(description="since it was shipped")]
    photos: Optional[list[str]] = None  # noqa: UP045 - people write it


@activitylog.event("shop.order.lost")
@pydantic.dataclasses.dataclass
class OrderLost:
    where: str = pydantic.Field(description="as far as known")
