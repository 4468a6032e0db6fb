"""An upload endpoint that lets no image pass that Bifrons would block."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request

from bifrons import AsyncClient, NoAnswer, RequestFailed


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncClient(os.environ["BIFRONS_ROUTER"], deadline=10) as client:
        app.state.bifrons = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/avatars/{user}")
async def upload(user: str, request: Request) -> dict[str, str | None]:
    image = await request.body()
    try:
        result = await request.app.state.bifrons.classify(image, subject=("user", user))
    except RequestFailed as error:
        # The image's own faults are the uploader's; anything else is ours.
        raise HTTPException(error.status if error.status in (413, 415, 422) else 503, error.message) from error
    except NoAnswer as error:
        raise HTTPException(503, "images cannot be checked now; try again later") from error
    if result.verdict.action == "block":
        raise HTTPException(422, "this image looks AI-generated")
    return {"action": result.verdict.action, "decision": result.decision}
