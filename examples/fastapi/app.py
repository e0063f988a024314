"""A FastAPI application whose users download their orders, of any number, from Plimsoll.

    browser ── GET /orders/export ──> this application ── POST /api/v2/exports ──> Plimsoll
       │  <────── 303, a link ─────────────┘  <──────────── 201, a link ──────────────┘
       └── GET link ──────────────────────────────────────────────────────────────────^

The file never passes through this process: it is asked for here, in the user's name, and the
browser fetches it by a link that is good once and for ten minutes.

    PLIMSOLL_URL         where this application reaches Plimsoll
    PLIMSOLL_PUBLIC_URL  where browsers reach it, if that is elsewhere
    PLIMSOLL_KEY         this application's key, if Plimsoll asks for one
"""

import os
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from urllib.parse import urljoin

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials

PLIMSOLL_URL = os.environ.get("PLIMSOLL_URL", "http://127.0.0.1:8000")
PLIMSOLL_PUBLIC_URL = os.environ.get("PLIMSOLL_PUBLIC_URL", PLIMSOLL_URL)
PLIMSOLL_KEY = os.environ.get("PLIMSOLL_KEY")

# Plimsoll answers within 30 s, or says that it is busy.
TIMEOUT_SECONDS = 35


@asynccontextmanager
async def lifespan(app: FastAPI):
    """One client for all requests, so that connections are used again."""
    headers = {"Authorization": f"Bearer {PLIMSOLL_KEY}"} if PLIMSOLL_KEY else {}
    async with httpx.AsyncClient(
        base_url=PLIMSOLL_URL, headers=headers, timeout=TIMEOUT_SECONDS
    ) as app.state.plimsoll:
        yield


app = FastAPI(lifespan=lifespan)


@dataclass(frozen=True)
class User:
    name: str
    password: str
    tenant: str
    """Of the orders, those of this channel are the user's."""


# In place of your own login.
USERS = {
    "ann": User("ann", "a", tenant="online"),
    "ben": User("ben", "b", tenant="partner"),
}


def current_user(given: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> User:
    user = USERS.get(given.username)
    password = user.password if user else ""
    same = secrets.compare_digest(given.password.encode(), password.encode())
    if not user or not same:
        raise HTTPException(401, headers={"WWW-Authenticate": "Basic"})
    return user


@app.get("/orders/export")
async def export_orders(
    request: Request,
    user: Annotated[User, Depends(current_user)],
    since: date | None = None,
) -> RedirectResponse:
    """Sends the browser to a CSV of the user's own orders."""
    # The tenant comes from the session, never from the request. Values stand in parameters of
    # their own, not in the text of a filter: there is nothing to quote.
    params = {"filter[channel]": user.tenant, "sort": "-id"}
    if since:
        params["filter[ordered_at][gte]"] = since.isoformat()
    asked = {
        "resource": "orders",
        "params": params,
        "format": "csv",
        "filename": f"orders of {user.name}.csv",
        "expires_in": 600,
    }
    try:
        answer = await request.app.state.plimsoll.post("/api/v2/exports", json=asked)
    except httpx.TransportError as error:
        raise HTTPException(502, "exports cannot be reached") from error
    if answer.status_code in (429, 503):
        again = {"Retry-After": answer.headers.get("Retry-After", "5")}
        raise HTTPException(503, "too many exports at the moment", headers=again)
    if answer.status_code != 201:
        # A mistake of this application; Plimsoll's sentence says which.
        raise HTTPException(502, f"the export was refused: {answer.text}")
    link = urljoin(PLIMSOLL_PUBLIC_URL, answer.json()["url"])
    # The link is a key to the file: nothing on the way may keep it.
    return RedirectResponse(link, status_code=303, headers={"Cache-Control": "no-store"})
