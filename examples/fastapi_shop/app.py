"""
A shop's API on FastAPI: who looked at what, who ordered what, and what went wrong.

    uvicorn app:app

Events go where ACTIVITYLOG_URL says, else into the embedded store ``./data/activity``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import activitylog
from activitylog.integrations.fastapi import ActivityMiddleware, actor

PRODUCTS = {1: ("tea", 7), 2: ("honey", 9), 3: ("lemons", 4)}
LARGEST_PARCEL = 12
_orders: dict[int, Order] = {}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Customer:
    """Somebody with a token."""

    id: int


@activitylog.event("order.placed", version=1)
@dataclass(frozen=True)
class OrderPlaced:
    """A customer ordered something."""

    product: str
    quantity: int
    price: int


@dataclass(frozen=True)
class Order:
    """What was ordered."""

    id: int
    customer: int
    product: int
    quantity: int


@asynccontextmanager
async def lifespan(_app: FastAPI) -> Any:
    """Say where events go, once for the process; they are flushed by the middleware when it stops."""
    activitylog.configure(
        os.environ.get("ACTIVITYLOG_URL", f"chdb://{Path('data/activity').absolute()}"),
        service_name="shop",
        rules=[{"match": "product.viewed", "sample": 0.5, "by": "actor"}],
    )
    yield


app = FastAPI(title="Shop", lifespan=lifespan)
app.add_middleware(ActivityMiddleware, trusted_proxies=["127.0.0.1"], request_event="request.completed")


def customer(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> Customer:
    """Whose token it is: in this example a token is ``customer-7``."""
    name, _, number = credentials.credentials.partition("-")
    if name != "customer" or not number.isdigit():
        activitylog.emit("token.refused", outcome="denied")
        raise HTTPException(401, "unknown token")
    return Customer(int(number))


#: The customer of the request, who is the actor of its events from here on.
CurrentCustomer = Annotated[Customer, Depends(actor(customer))]


@app.get("/products/{product_id}")
async def view_product(product_id: int, _customer: CurrentCustomer) -> dict[str, Any]:
    """Look at a product."""
    if product_id not in PRODUCTS:
        raise HTTPException(404, "no such product")
    activitylog.emit("product.viewed", object=("product", product_id))
    name, price = PRODUCTS[product_id]
    return {"name": name, "price": price}


@app.post("/orders", status_code=201)
def place_order(product_id: int, quantity: int, buyer: CurrentCustomer, later: BackgroundTasks) -> dict[str, Any]:
    """Order something: a plain function, which FastAPI runs in a thread."""
    name, price = PRODUCTS[product_id]
    order = Order(next(_numbers), buyer.id, product_id, quantity)
    _orders[order.id] = order
    activitylog.emit(OrderPlaced(product=name, quantity=quantity, price=price), object=order)
    later.add_task(send_receipt, order)
    return {"order": order.id}


def send_receipt(order: Order) -> None:
    """After the answer; the event is still of the request, and has the outcome and the duration of the block."""
    with suppress(ValueError), activitylog.activity("receipt.sent", object=order):
        if order.quantity > LARGEST_PARCEL:
            raise ValueError("too many for one parcel")


@app.get("/orders/export")
async def export_orders(_customer: CurrentCustomer) -> StreamingResponse:
    """All orders as lines, streamed; the event at the end is the request's, too."""

    def lines() -> Iterator[str]:
        for order in list(_orders.values()):
            yield f"{order.id},{order.customer},{order.product},{order.quantity}\n"
        activitylog.emit("orders.exported", rows=len(_orders))

    return StreamingResponse(lines(), media_type="text/csv")
